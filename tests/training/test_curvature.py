"""Appendix C of the LeNet-5 paper against exact second derivatives, in float64.

With the constant j of eq. 9 far below every penalty the loss of a pattern is its squared distance
from a code, so its second derivatives along F6 are 2 and nothing else. Where each unit reaches the
next layer but one by one path, the appendix then drops nothing but what weight sharing brings, and
equals the exact Gauss-Newton diagonal of the network whose connections share nothing.
"""

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.models import Network
from mnist_arch.models.heads import Head, RadialBasis
from mnist_arch.models.layers import EuclideanRBF, PartialConv2d, Pixels, ScaledTanh, Subsample
from mnist_arch.training.curvature import diagonal

FAR = RadialBasis(j=-1000)


class Small(Network):
    """A chain of layers between the pixels and the RBF units."""

    head: ClassVar[Head] = FAR

    def __init__(self, *layers: nn.Module, features: int) -> None:
        super().__init__()
        self.pixels = Pixels(background=-0.1, ink=1.175)
        self.layers = nn.ModuleList(layers)
        self.output = EuclideanRBF(torch.randn(10, features).sign())
        self.double()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def forward(self, images: Tensor) -> Tensor:
        states = self.pixels(images)
        for layer in self.layers:
            states = layer(states.flatten(1) if isinstance(layer, nn.Linear) else states)
        return -self.output(states.flatten(1))


def patterns(count: int) -> tuple[Tensor, Tensor]:
    return torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8), torch.randint(10, (count,))


def exact(features: Callable[..., Tensor], images: Tensor, *parameters: Tensor) -> list[Tensor]:
    """The diagonal of J'HJ with H = 2, the mean over patterns; J by autograd."""
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for image in images:

        def one(*values: Tensor, image: Tensor = image) -> Tensor:
            return features(image[None], *values).flatten()

        found = torch.autograd.functional.jacobian(one, parameters)
        for sums, jacobian in zip(total, found, strict=True):
            sums += 2 * jacobian.square().sum(0) / len(images)
    return total


def test_it_is_the_exact_gauss_newton_diagonal_of_a_net_with_one_hidden_layer() -> None:
    hidden, output, squash = nn.Linear(784, 6), nn.Linear(6, 4), ScaledTanh()
    net, (images, digits) = Small(hidden, squash, output, squash, features=4), patterns(5)

    def features(image: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        states = 1.7159 * torch.tanh(2 / 3 * F.linear(net.pixels(image).flatten(1), w1, b1))
        return 1.7159 * torch.tanh(2 / 3 * F.linear(states, w2, b2))

    parameters = [hidden.weight, hidden.bias, output.weight, output.bias]
    curvature = diagonal(net, images, digits)
    assert len(curvature) == 4
    for parameter, h in zip(parameters, exact(features, images, *parameters), strict=True):
        torch.testing.assert_close(curvature[parameter], h, rtol=1e-9, atol=1e-12)


def test_a_shared_parameter_has_the_sum_over_its_connections() -> None:
    """Every kernel of a place, every coefficient of a window made a parameter of its own."""
    c1, s2, c5, squash = nn.Conv2d(1, 2, 5), Subsample(2), nn.Conv2d(2, 3, 12), ScaledTanh()
    net = Small(c1, squash, s2, squash, c5, squash, features=3)
    images, digits = patterns(3)

    def features(image: Tensor, kernels: Tensor, k0: Tensor, scales: Tensor, s0: Tensor) -> Tensor:
        places = F.unfold(net.pixels(image), 5)[0]  # (25, 576)
        states = squash(torch.einsum("opk,kp->op", kernels, places) + k0).view(2, 12, 2, 12, 2)
        states = squash(scales * states.sum((2, 4)) + s0)
        return squash(c5(states[None]))

    unshared = (
        c1.weight.detach().flatten(1)[:, None].expand(2, 576, 25),
        c1.bias.detach()[:, None].expand(2, 576),
        s2.weight.detach()[:, None, None].expand(2, 12, 12),
        s2.bias.detach()[:, None, None].expand(2, 12, 12),
    )
    kernels, k0, scales, s0 = exact(features, images, *(each.contiguous() for each in unshared))
    curvature = diagonal(net, images, digits)
    for parameter, h in (
        (c1.weight, kernels.sum(1).view(2, 1, 5, 5)),
        (c1.bias, k0.sum(1)),
        (s2.weight, scales.sum((1, 2))),
        (s2.bias, s0.sum((1, 2))),
    ):
        torch.testing.assert_close(curvature[parameter], h, rtol=1e-9, atol=1e-12)


def test_a_partial_convolution_has_the_diagonal_of_the_dense_one_with_zeros() -> None:
    table = [(0,), (1,), (0, 1)]
    c1, partial = nn.Conv2d(1, 2, 5), PartialConv2d(table, in_maps=2, kernel=24)
    dense, squash = nn.Conv2d(2, 3, 24), ScaledTanh()
    ours = Small(c1, squash, partial, squash, features=3)
    other = Small(c1, squash, dense, squash, features=3)
    other.output = ours.output
    with torch.no_grad():
        dense.weight.zero_()
        dense.weight[partial.output_maps, partial.input_maps] = partial.weight
        dense.bias.copy_(partial.bias)
    images, digits = patterns(4)
    found, expected = diagonal(ours, images, digits), diagonal(other, images, digits)
    entries = expected[dense.weight][partial.output_maps, partial.input_maps]
    torch.testing.assert_close(found[partial.weight], entries, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[c1.weight], expected[c1.weight], rtol=1e-9, atol=1e-12)


def test_it_starts_from_the_whole_second_derivative_of_eq_9() -> None:
    """2 (1 - sum p) + 4 (sum p d^2 - (sum p d)^2), p the head's, d = x - w to each code."""

    class Near(Small):
        head = RadialBasis(j=3)

    layer = nn.Linear(784, 7)
    net, (images, digits) = Near(layer, features=7), patterns(20)
    with torch.no_grad():
        layer.weight.mul_(0.1)
    p = net.probabilities(images)[:, :, None]
    d = layer(net.pixels(images).flatten(1))[:, None] - net.output.codes
    assert 0.05 < p.sum(1).mean() < 0.95  # both terms matter
    spread = (p * d.square()).sum(1) - (p * d).sum(1).square()
    p = p[:, :, 0]
    expected = (2 * (1 - p.sum(1, keepdim=True)) + 4 * spread).mean(0)
    found = diagonal(net, images, digits)[layer.bias]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-9, atol=1e-12)


def test_lenet5_1998_has_one_for_each_parameter_and_none_is_negative() -> None:
    net, (images, digits) = mnist_arch.build("lenet5_1998"), patterns(8)
    curvature = diagonal(net, images, digits)
    assert set(curvature) == set(net.parameters())
    for parameter, h in curvature.items():
        assert h.shape == parameter.shape
        assert (h >= 0).all()
        assert h.sum() > 0


@pytest.mark.parametrize("name", ["lenet5", "mlp", "tanh_cnn"])
def test_other_networks_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="SDLM has no second derivatives for"):
        diagonal(mnist_arch.build(name), *patterns(1))
