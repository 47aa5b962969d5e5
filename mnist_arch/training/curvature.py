"""The second derivatives by which the LeNet-5 paper sets each parameter's rate.

LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
86(11), 1998, appendix C, after Becker and LeCun 1988. The second derivative of the loss E along a
shared parameter is a double sum over its connections u_ij. The appendix drops the terms that join
two connections, those that join two units of a layer, and those with the second derivative of the
squashing function (Gauss-Newton). With weighted sums a_i and states x_j = f(a_j) that leaves

    h = sum over the parameter's connections of d2E/du_ij^2,  d2E/du_ij^2 = d2E/da_i^2 x_j^2,
    d2E/da_j^2 = f'(a_j)^2 sum_i u_ij^2 d2E/da_i^2:

a backward pass through the same layers with weights, states and slopes squared. It starts at the
RBF units' input, where eq. 9 is convex and its second derivative is taken whole: started at the
scores it would vanish, since a fresh network's ten RBF units are all far from their patterns.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mnist_arch.errors import UserError
from mnist_arch.models import Network
from mnist_arch.models.layers import EuclideanRBF, PartialConv2d, Pixels, ScaledTanh, Subsample

WEIGHTED = (nn.Conv2d, nn.Linear, PartialConv2d)
SQUASHING = (nn.ReLU, nn.Tanh, ScaledTanh)

Curvature = dict[nn.Parameter, Tensor]


def diagonal(net: Network, images: Tensor, digits: Tensor) -> Curvature:
    """(N, 1, 28, 28) raw pixels, (N,) digits -> h of each parameter, the mean over the N patterns.

    Raises:
        UserError: The network is not a chain of layers that the appendix speaks of.
    """
    layers, scores = _chain(net, images)
    penalties, features = (
        layers.pop() if isinstance(layers[-1][0], EuclideanRBF) else (None, scores)
    )

    def loss(states: Tensor) -> Tensor:
        return net.head.loss(states if penalties is None else -penalties(states), digits)

    curvature: Curvature = {}
    second = _second_derivatives(loss, features)
    for layer, states in reversed(layers):
        second = second.reshape(_output(layer, states).shape)
        if isinstance(layer, Subsample):
            second, found = _through_subsampling(layer, states, second)
        elif isinstance(layer, WEIGHTED):
            second, found = _through_squares(layer, states, second)
        else:
            slopes = torch.autograd.functional.vjp(layer, states, torch.ones_like(second))[1]
            second, found = slopes.square() * second, {}
        curvature |= found
    return curvature


def _chain(net: Network, images: Tensor) -> tuple[list[tuple[nn.Module, Tensor]], Tensor]:
    """Return each layer after the pixels with its input, first to last, and the scores."""
    layers: list[tuple[nn.Module, Tensor]] = []
    before: list[Tensor] = []

    def note(layer: nn.Module, arguments: tuple[Tensor], result: Tensor) -> None:
        if not isinstance(layer, Pixels):
            known = isinstance(layer, (*WEIGHTED, *SQUASHING, Subsample, EuclideanRBF))
            # A view has the same memory, whatever its shape.
            if not known or arguments[0].data_ptr() != before[-1].data_ptr():
                raise UserError(
                    f"recipe.optimizer: SDLM has no second derivatives for {type(net).__name__}, "
                    f"at its {type(layer).__name__}; it trains lenet5_1998"
                )
            layers.append((layer, arguments[0]))
        before.append(result)

    leaves = [layer for layer in net.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    try:
        with torch.no_grad():
            scores = net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return layers, scores


def _output(layer: nn.Module, states: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(states)


def _second_derivatives(loss: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """(N, J) -> the second derivative of the mean loss along each of them, (N, J).

    Eq. 9 is convex in F6's states; a loss that is not has its negative values put to zero.
    """
    features = features.detach().requires_grad_()
    (first,) = torch.autograd.grad(loss(features), features, create_graph=True)
    columns = [
        torch.autograd.grad(column.sum(), features, retain_graph=True)[0][:, j]
        for j, column in enumerate(first.unbind(1))
    ]
    return torch.stack(columns, dim=1).clamp(min=0)


def _through_squares(layer: nn.Module, states: Tensor, second: Tensor) -> tuple[Tensor, Curvature]:
    """From the second derivatives along sums to those along states, and parameters."""
    squares: dict[str, Any] = {
        name: parameter.detach().square().requires_grad_()
        for name, parameter in layer.named_parameters()
    }
    inputs = states.square().requires_grad_()
    sums = functional_call(layer, squares, (inputs,))
    below, *found = torch.autograd.grad(sums, [inputs, *squares.values()], second)
    return below, dict(zip(layer.parameters(), found, strict=True))


def _through_subsampling(
    layer: Subsample, states: Tensor, second: Tensor
) -> tuple[Tensor, Curvature]:
    """The same where a coefficient multiplies the sum of four states."""
    added = layer.added(states)
    coefficient = layer.weight.detach()[:, None, None]
    found = {
        layer.weight: (added.square() * second).sum((0, 2, 3)),
        layer.bias: second.sum((0, 2, 3)),
    }
    below = torch.autograd.functional.vjp(layer.added, states, coefficient.square() * second)[1]
    return below, found
