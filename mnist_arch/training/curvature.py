"""The second derivatives by which the LeNet-5 paper sets each parameter's rate.

LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
86(11), 1998, appendix C: the diagonal of the Gauss-Newton approximation J'HJ, the mean over some
patterns, J being the slopes of a network's features along its parameters and H the second
derivative of the loss along the features.

The appendix saves a computer of its time more: it also drops the terms between two connections
that share a parameter, and between two units of a layer. Those are kept here. Without them the
shared kernels of LeNet-5 seem flatter than they are, and with the paper's rates its second pass
diverges. What is estimated instead is the diagonal itself: with random signs s, (J'H^(1/2)s)^2 has
the diagonal of J'HJ as its mean.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from mnist_arch.models import Network

CHUNK = 100  # patterns whose gradients are held in memory together

Loss = Callable[[Tensor, Tensor], Tensor]
Curvature = dict[nn.Parameter, Tensor]


def diagonal(
    net: Network, images: Tensor, digits: Tensor, signs: Tensor, loss: Loss | None = None
) -> Curvature:
    """Estimate the second derivative of the mean loss along each parameter, dropout off.

    Args:
        net: The network; its loss is a function of `Network.features`.
        images: (N, 1, 28, 28) raw pixels.
        digits: (N,).
        signs: (D, N, J) of -1 and 1, J being the number of features. The result is the mean over
            N and D, exact over all 2^J signs.
        loss: The mean loss of (N, 10) scores and (N,) digits, None for that of the head.

    Returns:
        For each parameter a tensor of its shape, nowhere negative.
    """
    was_training = net.training
    net.eval()
    features = _Features(net)
    parameters = {name: value.detach() for name, value in features.named_parameters()}
    roots = _roots(_second_derivatives(net, images, digits, loss or net.head.loss))
    directions = torch.einsum("nij,dnj->dni", roots, signs.to(roots))

    def along(parameters: dict[str, Tensor], image: Tensor, direction: Tensor) -> Tensor:
        found = functional_call(features, parameters, (image[None],))
        return (found[0] * direction).sum()

    slopes = vmap(grad(along), in_dims=(None, 0, 0))
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for direction in directions:
        for some, ways in zip(images.split(CHUNK), direction.split(CHUNK), strict=True):
            for name, slope in slopes(parameters, some, ways).items():
                total[name] += slope.square().sum(0) / signs[..., 0].numel()
    net.train(was_training)
    return {parameter: total[name] for name, parameter in features.named_parameters()}


class _Features(nn.Module):
    """A network's features as a module's output, which is what torch.func calls."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.features(images)


def _second_derivatives(net: Network, images: Tensor, digits: Tensor, loss: Loss) -> Tensor:
    """(N, J, J): of each pattern's own loss along its features."""
    with torch.no_grad():
        states = net.features(images)
    states.requires_grad_()
    total = loss(net.scores(states), digits) * len(digits)
    (first,) = torch.autograd.grad(total, states, create_graph=True)
    rows = [torch.autograd.grad(each.sum(), states, retain_graph=True)[0] for each in first.T]
    return torch.stack(rows, dim=1)


def _roots(matrices: Tensor) -> Tensor:
    """(N, J, J) symmetric -> square roots; a loss that is not convex has its concave part cut."""
    values, vectors = torch.linalg.eigh(matrices)
    return vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.mT
