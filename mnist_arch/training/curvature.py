"""The second derivatives by which the LeNet-5 paper sets each parameter's learning rate.

LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
86(11), 1998, appendix C: the diagonal of the Gauss-Newton approximation J'HJ, averaged over some
patterns. J is the Jacobian of a network's features with respect to its parameters, H the second
derivative of the loss with respect to the features.

The appendix simplifies further, for the computers of its time: it also drops the terms between two
connections that share a parameter, and between two units of a layer. `appendix_c` follows it.
`diagonal` keeps those terms: with random signs s, (J'H^(1/2)s)^2 has the diagonal of J'HJ as its
mean.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.overrides import TorchFunctionMode

from mnist_arch.errors import UserError
from mnist_arch.models.network import Network

CHUNK = 100  # patterns whose gradients are held in memory together
SIGNS = 8  # random vectors for each pattern: with 500 patterns 2 % of noise

Loss = Callable[[Tensor, Tensor], Tensor]
Curvature = dict[nn.Parameter, Tensor]
METHODS = ("gauss_newton", "unit_gauss_newton", "appendix_c")


def halves(net: Network) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Divide a network into images -> features, and features -> scores.

    The features are what the loss is convex in. A network whose scores are not that has the two
    methods ``features`` and ``scores``; for any other, the features are the scores.
    """
    if hasattr(type(net), "features"):  # the class, for a layer may have that name
        divided: Any = net
        return divided.features, divided.scores
    return net, nn.Identity()


def random_signs(
    net: Network, images: Tensor, draws: torch.Generator, count: int = SIGNS
) -> Tensor:
    """Draw what `diagonal` needs for (N, 1, 28, 28) images: (count, N, J) of -1 and 1."""
    with _evaluating(net), torch.no_grad():
        width = halves(net)[0](images[:1]).shape[1]
    signs = torch.randint(2, (count, len(images), width), generator=draws) * 2 - 1
    return signs.to(images.device)


def measure(
    method: str,
    net: Network,
    images: Tensor,
    labels: Tensor,
    loss: Loss,
    draws: torch.Generator,
) -> Curvature:
    """Measure by one of `METHODS`; see `diagonal`, whose signs are drawn, and `appendix_c`.

    By "unit_gauss_newton" the second derivative at the features is 1, as it is in `appendix_c`.
    """
    if method == "appendix_c":
        return appendix_c(net, images)
    signs = random_signs(net, images, draws)
    return diagonal(net, images, labels, signs, loss, unit=method == "unit_gauss_newton")


def diagonal(
    net: Network,
    images: Tensor,
    labels: Tensor,
    signs: Tensor,
    loss: Loss | None = None,
    *,
    unit: bool = False,
) -> Curvature:
    """Estimate the second derivative of the mean loss with respect to each parameter.

    The network is measured in evaluation mode: without dropout, and with the moving statistics
    of its batch normalisation.

    Args:
        net: The network; its loss is a function of the features of `halves`.
        images: (N, 1, 28, 28) raw pixels.
        labels: (N,).
        signs: (D, N, J) of -1 and 1, J being the number of features. The result is the mean over
            N and D, exact over all 2^J signs.
        loss: The mean loss of (N, 10) scores and (N,) labels, None for that of the head.
        unit: Take H to be the identity, whatever the loss.

    Returns:
        For each parameter a tensor of its shape, nowhere negative.
    """
    module = _Features(net)
    parameters = {name: value.detach() for name, value in module.named_parameters()}

    def along(parameters: dict[str, Tensor], image: Tensor, direction: Tensor) -> Tensor:
        features = functional_call(module, parameters, (image[None],))
        return (features[0] * direction).sum()

    slopes = vmap(grad(along), in_dims=(None, 0, 0))
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    with _evaluating(net):
        directions = signs.to(next(net.parameters()))
        if not unit:
            roots = _roots(_second_derivatives(net, images, labels, loss or net.head.loss))
            directions = torch.einsum("nij,dnj->dni", roots, directions)
        for direction in directions:
            for some, ways in zip(images.split(CHUNK), direction.split(CHUNK), strict=True):
                for name, slope in slopes(parameters, some, ways).items():
                    total[name] += slope.square().sum(0) / signs[..., 0].numel()
    return {parameter: total[name] for name, parameter in module.named_parameters()}


def appendix_c(net: Network, images: Tensor) -> Curvature:
    """Measure the second derivatives as appendix C simplifies them, eq. 22 to 27.

    They are propagated back from the features like first derivatives, but by the squares of
    weights, inputs and slopes: the second derivative of the squashing function is dropped, and so
    are the terms between two connections that share a parameter. At the features it is taken to
    be 1, whatever the loss, as in the authors' own programs (Lush, ``bbprop`` of ``e-layer``).

    Args:
        net: The network, measured in evaluation mode.
        images: (N, 1, 28, 28) raw pixels.

    Returns:
        For each parameter a tensor of its shape, nowhere negative: the mean over the images.

    Raises:
        UserError: The network computes something that the appendix has no rule for.
    """
    with _evaluating(net), torch.enable_grad(), _SquaredDerivatives():
        features = halves(net)[0](images)
    parameters = [*net.parameters()]
    sums = torch.autograd.grad(features, parameters, torch.ones_like(features))
    return {parameter: h / len(images) for parameter, h in zip(parameters, sums, strict=True)}


# Each result is a sum of products of the first two operands.
PRODUCTS = {torch.conv2d, F.linear, Tensor.mul, Tensor.__mul__, Tensor.__rmul__}
SQUASHING = {torch.tanh, Tensor.tanh, torch.sigmoid, Tensor.sigmoid}
# All derivatives are 0 or 1, so that their squares are the same.
SELECTIONS = {
    *(Tensor.__getitem__, Tensor.index_put, Tensor.flatten, Tensor.add, Tensor.__add__, F.pad),
    *(Tensor.relu, F.relu, F.max_pool2d, F.dropout),
}


class _SquaredDerivatives(TorchFunctionMode):
    """Within it, each operation propagates back by the squares of its derivatives."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not isinstance(result, Tensor) or not result.requires_grad or function in SELECTIONS:
            return result
        if function in PRODUCTS:
            squares = [_propagating_as(each, each**2) for each in args[:2]]
            return _propagating_as(function(*squares, *args[2:]), result)
        if function in SQUASHING:
            (slope,) = torch.autograd.grad(result.sum(), args[0], retain_graph=True)
            return _propagating_as(args[0] * slope**2, result)
        if function is F.avg_pool2d and not kwargs and len(args) == 2:  # weights of one in so many
            return _propagating_as(result / args[1] ** 2, result)
        raise UserError(f"recipe.optimizer.curvature: appendix C has no rule for {function}")


def _propagating_as(other: Any, value: Any) -> Any:
    """Return a value whose derivatives are another tensor's; a number as it is."""
    return _Substitute.apply(other, value) if isinstance(other, Tensor) else value


class _Substitute(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, *other_and_value: Any) -> Any:
        return other_and_value[1].clone()

    @staticmethod
    def backward(_: Any, *slopes: Any) -> Any:
        return *slopes, None


class _Features(nn.Module):
    """A network's features as the output of a module, which is what torch.func calls."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return halves(self.net)[0](images)


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Hold a network in evaluation mode."""
    was_training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(was_training)


def _second_derivatives(net: Network, images: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    """(N, J, J): of each pattern's own loss with respect to its features."""
    below, above = halves(net)
    with torch.no_grad():
        features = below(images)
    features.requires_grad_()
    total = loss(above(features), labels) * len(labels)
    (first,) = torch.autograd.grad(total, features, create_graph=True)
    rows = [torch.autograd.grad(each.sum(), features, retain_graph=True)[0] for each in first.T]
    return torch.stack(rows, dim=1)


def _roots(matrices: Tensor) -> Tensor:
    """(N, J, J) symmetric -> square roots; a loss that is not convex has its concave part cut."""
    values, vectors = torch.linalg.eigh(matrices)
    return vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.mT
