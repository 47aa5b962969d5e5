"""What all architectures have in common: raw pixels in, ten scores out."""

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from mnist_arch.errors import UserError
from mnist_arch.models.heads import Head
from mnist_arch.models.layers import BatchNorm, PartialConv2d, Pixels, ScaledTanh

# Modules without maps of their own: they finish what the layer before them began.
PASSING = (BatchNorm, ScaledTanh, nn.Dropout)


class Network(nn.Module):
    """(N, 1, 28, 28) raw pixels, uint8 or float, 0 background to 255 ink -> (N, 10) scores.

    The greatest score wins. Scaling and padding of the pixels happen inside, so that one data
    module serves every network. In evaluation mode a network is a plain function of its state
    and the pixels. In training mode dropout draws from torch's global generator, and batch
    normalisation uses the statistics of the batch and updates its moving ones.

    A subclass calls its last layer ``output``.

    Attributes:
        title: Its name for people.
        head: What the scores mean: the loss and the probabilities.
    """

    title: ClassVar[str]
    head: Head

    def probabilities(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) probabilities, as the head defines them."""
        return self.head.probabilities(self(images))

    def standardize(self) -> Self:
        """Scale pixel values to mean 0 and standard deviation 1 over MNIST, not as the source did.

        Raises:
            UserError: The network has no `Pixels` layer to do it.
        """
        layers = [module for module in self.modules() if isinstance(module, Pixels)]
        if not layers:
            raise UserError(
                f"{type(self).__name__}: cannot be standardized; it has no Pixels layer"
            )
        for layer in layers:
            layer.standardize()
        return self

    def activations(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 1, 28, 28) raw pixels -> what each layer passes on, by name: (N, ...) maps or units.

        That is the input of the next layer: behind the squashing function, and in evaluation mode,
        in which dropout changes nothing. The last are the scores. The network is left as it was.
        """
        calls: list[tuple[str, Tensor, Tensor]] = []  # a layer's name, its input and its output

        def record(name: str) -> Callable[..., None]:
            def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
                calls.append((name, inputs[0], output))

            return hook

        training = self.training
        hooks = [
            module.register_forward_hook(record(name))
            for name, module in self.named_children()
            if not isinstance(module, PASSING)
        ]
        try:
            with torch.inference_mode():
                scores = self.eval()(images)
        finally:
            self.train(training)
            for hook in hooks:
                hook.remove()
        passed_on = [inputs for _, inputs, _ in calls[1:]] + [scores]
        return {
            name: values.reshape(output.shape) if values.numel() == output.numel() else values
            for (name, _, output), values in zip(calls, passed_on, strict=True)
        }

    @property
    def parameter_count(self) -> int:
        """The number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def is_convolutional(self) -> bool:
        """Whether any layer is a convolution."""
        return any(isinstance(module, (nn.Conv2d, PartialConv2d)) for module in self.modules())

    @classmethod
    def summary(cls) -> str:
        """Return the start of its docstring: the first line, up to a semicolon."""
        return (cls.__doc__ or "").partition("\n")[0].partition(";")[0].rstrip(".")
