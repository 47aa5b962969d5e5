"""Copies of one network that are computed together, each with weights of its own."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap
from typing_extensions import override

from mnist_arch.models.network import Network
from mnist_arch.training.layout import forget


class Stack(nn.Module):
    """K networks of one architecture as one: their parameters lie in tensors of (K, ...).

    Small networks leave a processor idle between their many small operations; K of them in one
    operation take much less than K times as long.

    Attributes:
        count: K.
        names: Of the parameters, in the network's order.
        weights: Those of all copies, in the same order.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.count = len(networks)
        base = deepcopy(networks[0])
        self.names = [name for name, _ in base.named_parameters()]
        self.order = [*base.state_dict()]
        self.buffer_names = [name for name in self.order if name not in self.names]
        base.requires_grad_(False)
        self.base = [_stackable(base)]  # in a list, so that it is no submodule of this one
        self.dropouts = [
            (f"{name}.mask", module)
            for name, module in self.base[0].named_modules()
            if isinstance(module, GivenDropout)
        ]
        states = [network.state_dict() for network in networks]
        self.weights = nn.ParameterList(
            torch.stack([state[name] for state in states]) for name in self.names
        )
        self.moving = nn.ParameterList(
            nn.Parameter(torch.stack([state[name] for state in states]), requires_grad=False)
            for name in self.buffer_names
        )

    @override
    def _apply(self, function: Any, recurse: bool = True) -> "Stack":
        self.base[0]._apply(function, recurse)  # type: ignore[no-untyped-call]
        super()._apply(function, recurse)  # type: ignore[no-untyped-call]
        return self

    def forward(self, images: Tensor, masks: dict[str, Tensor] | None = None) -> Tensor:
        """(K, N, 1, 28, 28) raw pixels, or (N, 1, 28, 28) for all copies -> (K, N, 10) scores.

        ``masks`` are those of dropout; without, the network is in evaluation mode.
        """
        base = self.base[0].train(masks is not None)
        state = self._state() | (masks or {})

        def scores(state: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(base, state, (images,))

        return vmap(scores, in_dims=(0, 0 if images.ndim == 5 else None))(state, images)

    def masks(self, batch_size: int, draws: Iterable[torch.Generator]) -> dict[str, Tensor]:
        """Draw the masks of dropout for a step, each copy's from a generator of its own.

        On a CPU they are those that the copy would have drawn from torch's global generator.
        """
        if not self.dropouts:
            return {}
        drawn = [[module.draw(batch_size, each) for _, module in self.dropouts] for each in draws]
        of_layers = map(torch.stack, zip(*drawn, strict=True))
        return {name: mask for (name, _), mask in zip(self.dropouts, of_layers, strict=True)}

    def network_state(self) -> dict[str, Tensor]:
        """Return the state of the networks, with its own names and a leading dimension of K."""
        state = {name: value.detach() for name, value in self._state().items()}
        return {name: state[name] for name in self.order}

    def load_network_state(self, state: dict[str, Tensor]) -> None:
        """Take what `network_state` returned."""
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self.weights, strict=True)) | dict(
            zip(self.buffer_names, self.moving, strict=True)
        )


class GivenDropout(nn.Module):
    """Multiplies by a given mask where `nn.Dropout` draws one.

    Attributes:
        mask: 0, or 1 / (1 - p); what it is applied to has its shape.
        shape: Of what one image gives to the layer.
        layout: In which the layer is given it; torch draws in the order of memory.
    """

    mask: Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.shape: tuple[int, ...] = ()
        self.layout = torch.contiguous_format
        self.register_buffer("mask", torch.ones(1), persistent=False)

    def forward(self, activation: Tensor) -> Tensor:
        return activation * self.mask if self.training else activation

    def draw(self, batch_size: int, draws: torch.Generator) -> Tensor:
        """Draw a mask as torch's dropout does."""
        size = (batch_size, *self.shape)
        noise = torch.empty(size, device=draws.device, memory_format=self.layout)
        return noise.bernoulli_(1 - self.p, generator=draws).div_(1 - self.p)


class StackableLinear(nn.Linear):
    """A layer whose gradient needs no copy into the layout of its weights.

    For K copies torch computes the transpose of the gradient, several times as slowly.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        return _Affine.apply(inputs, self.weight, self.bias)


class _Affine(torch.autograd.Function):
    """(N, I), (O, I), (O,) -> (N, O), with or without a leading dimension of K."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if inputs.ndim == 2:
            return F.linear(inputs, weight, bias)
        return torch.baddbmm(bias[:, None], inputs, weight.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        below = gradient @ weight if ctx.needs_input_grad[0] else None
        return below, gradient.mT @ inputs, gradient.sum(-2)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], inputs: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, int]:
        stacked = [
            value.expand(info.batch_size, *value.shape)
            if place is None
            else value.movedim(place, 0)
            for value, place in zip((inputs, weight, bias), in_dims, strict=True)
        ]
        return _Affine.apply(*stacked), 0


def _stackable(net: Network) -> Network:
    """Replace the layers that need it, and note what shapes dropout works on."""
    given: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, inputs, __, name=name: given.update({name: inputs[0]})
        )
        for name, module in net.named_modules()
        if isinstance(module, nn.Dropout)
    ]
    with torch.no_grad():
        net.eval()(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    for name, module in [*net.named_modules()]:
        parent, _, last = name.rpartition(".")
        if isinstance(module, nn.Dropout):
            dropout = GivenDropout(module.p)
            dropout.shape = tuple(given[name].shape[1:])
            if not given[name].is_contiguous():
                dropout.layout = torch.channels_last
            setattr(net.get_submodule(parent), last, dropout)
        elif isinstance(module, nn.MaxPool2d):
            forget(module)
        elif type(module) is nn.Linear:
            module.__class__ = StackableLinear
    return net
