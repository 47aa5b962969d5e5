"""SDLM on single patterns, one step of which is compiled to one function.

A network as small as LeNet-5 computes a pattern in less time than it takes to call torch's
operations one after the other, forward, backward and for each parameter's update. So the whole
step is traced into one graph, in which a convolution of one image is a matrix product, and
torch's inductor makes machine code of it. That takes a C++ compiler, and some 15 s the first
time; later runs find the code in inductor's cache.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value
from torch.fx.experimental.proxy_tensor import make_fx

from mnist_arch.data.batches import Step
from mnist_arch.training.curvature import Loss
from mnist_arch.training.optimizers import SDLM
from mnist_arch.training.update import Update

aten = torch.ops.aten


class CompiledSDLM:
    """Takes one SDLM step for (1, 1, 28, 28) raw pixels and their (1,) label.

    The step changes the network's parameters in place. Rates, weight decay and curvature are
    those that the optimiser has at the time of the call.

    Args:
        net: The network, on a CPU and without batch normalisation.
        loss: The mean loss of (N, 10) scores and (N,) labels.
        optimizer: Has the network's parameters.
        otherwise: The same update, not compiled: taken, with a word on standard error, where this
            machine or network cannot be compiled for.
    """

    def __init__(self, net: nn.Module, loss: Loss, optimizer: SDLM, otherwise: Update) -> None:
        self.net, self.loss, self.optimizer, self.otherwise = net, loss, optimizer, otherwise
        self._steps: dict[torch.dtype, Callable[..., tuple[Tensor, Tensor]] | None] = {}

    def __call__(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return the (1, 10) scores and the loss from before the step.

        It is compiled at the first call for each dtype of pixels.
        """
        images, labels, _ = step
        if images.dtype not in self._steps:
            self._steps[images.dtype] = self._compiled(images, labels)
        compiled = self._steps[images.dtype]
        if compiled is None:
            return self.otherwise(step)
        self.optimizer._opt_called = True  # type: ignore[attr-defined]  # what torch's schedules look for
        with torch.no_grad():
            return compiled(images, labels, *self._state())

    def _state(self) -> list[Tensor]:
        """Return rate and weight decay of each group, all parameters, and their 1 / (mu + h)."""
        groups, state = self.optimizer.param_groups, self.optimizer.state
        rates = [(group["lr"], group["weight_decay"]) for group in groups]
        parameters = [parameter for group in groups for parameter in group["params"]]
        scales = [state[parameter]["scale"] for parameter in parameters]
        return [torch.tensor(rates, dtype=torch.float64), *parameters, *scales]

    def _compiled(self, images: Tensor, labels: Tensor) -> Callable[..., Any] | None:
        # Where there is no GPU, a torch built for one says so.
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch._inductor import standalone_compile  # takes a second to import
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
            inputs: list[Any] = [images, labels, *self._state()]
            # A trace with real tensors computes: with copies, so that nothing is changed.
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                copies = [each.detach().clone() for each in inputs]
                graph = make_fx(self._step(), MATRIX_PRODUCTS)(*copies)
                options = {"config_patches": {"fallback_random": True}}  # draws as torch does
                return standalone_compile(
                    graph, inputs, dynamic_shapes="from_example_inputs", options=options
                )
        except InvalidCxxCompiler:
            reason = "there is no C++ compiler; install g++, or set CXX"
        except RuntimeError as error:  # what tracing or inductor cannot do
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        sys.stderr.write(f"training without compiling, several times slower: {reason}\n")
        return None

    def _step(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """Return the step as a function of tensors only."""
        names = {parameter: name for name, parameter in self.net.named_parameters()}
        groups = [group["params"] for group in self.optimizer.param_groups]
        group_of = {names[p]: number for number, group in enumerate(groups) for p in group}

        def objective(
            parameters: dict[str, Tensor], images: Tensor, labels: Tensor
        ) -> tuple[Tensor, Tensor]:
            scores = functional_call(self.net, parameters, (images,))
            return self.loss(scores, labels), scores

        def step(
            images: Tensor, labels: Tensor, rates: Tensor, *tensors: Tensor
        ) -> tuple[Tensor, Tensor]:
            parameters = dict(zip(group_of, tensors, strict=False))
            scales = dict(zip(group_of, tensors[len(group_of) :], strict=True))
            slopes = grad_and_value(objective, has_aux=True)
            gradients, (loss, scores) = slopes(parameters, images, labels)
            for name, parameter in parameters.items():
                rate, decay = rates[group_of[name]]
                gradient = gradients[name] + decay * parameter
                parameter.sub_(rate * scales[name] * gradient)
            return scores, loss

        return step


def _windows(image: Tensor, height: int, width: int) -> Tensor:
    """(1, C, H, W), contiguous -> (C h w, H' W'): for each place of a kernel what it covers."""
    _, maps, rows, columns = image.shape
    _, *strides = image.stride()
    shape = (maps, height, width, rows - height + 1, columns - width + 1)
    return image.as_strided(shape, (*strides, *strides[1:])).reshape(maps * height * width, -1)


def _is_plain(image: Tensor, geometry: tuple[Any, ...]) -> bool:
    """Whether a convolution is of one image, in steps of one pixel, without padding and groups."""
    return len(image) == 1 and geometry == ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)


def _convolution(image: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Any) -> Tensor:
    """aten.convolution of one image as a matrix product."""
    if not _is_plain(image, geometry):
        return NotImplemented
    out, _, height, width = weight.shape
    _, _, rows, columns = image.shape
    maps = weight.reshape(out, -1) @ _windows(image.contiguous(), height, width)
    if bias is not None:
        maps = maps + bias[:, None]
    return maps.view(1, out, rows - height + 1, columns - width + 1)


def _convolution_backward(
    slope: Tensor, image: Tensor, weight: Tensor, _bias: Any, *rest: Any
) -> tuple[Tensor | None, ...]:
    """aten.convolution_backward of one image as two matrix products."""
    *geometry, (of_image, of_weight, of_bias) = rest
    if not _is_plain(image, tuple(geometry)):
        return NotImplemented
    out, maps, height, width = weight.shape
    rows = slope.reshape(out, -1)  # (O, H' W')
    covered = _windows(image.contiguous(), height, width)
    slope_of_image = None
    if of_image and rows.shape[1] == 1:
        slope_of_image = (weight.reshape(out, -1).T @ rows).view(image.shape)
    elif of_image:  # the convolution of the padded slope with the kernels turned by 180 degrees
        sides = [width - 1, width - 1, height - 1, height - 1]
        turned = weight.flip(2, 3).transpose(0, 1).reshape(maps, -1)
        around = _windows(F.pad(slope, sides).contiguous(), height, width)
        slope_of_image = (turned @ around).view(image.shape)
    return (
        slope_of_image,
        (rows @ covered.T).view(weight.shape) if of_weight else None,
        rows.sum(1) if of_bias else None,
    )


MATRIX_PRODUCTS: dict[Any, Callable[..., Any]] = {
    aten.convolution.default: _convolution,
    aten.convolution_backward.default: _convolution_backward,
}
