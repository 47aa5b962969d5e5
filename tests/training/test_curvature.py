"""The Gauss-Newton diagonal of appendix C against exact second derivatives, in float64."""

from copy import deepcopy
from itertools import product
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.models.heads import Head, RadialBasis, Softmax
from mnist_arch.models.layers import EuclideanRBF, PartialConv2d, Pixels, ScaledTanh, Subsample
from mnist_arch.models.network import Network
from mnist_arch.training.curvature import (
    appendix_c,
    diagonal,
    halves,
    measure,
    random_signs,
)


def patterns(count: int) -> tuple[Tensor, Tensor]:
    return torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8), torch.randint(10, (count,))


def all_signs(count: int, features: int) -> Tensor:
    signs = torch.tensor(list(product([-1, 1], repeat=features)))
    return signs[:, None].expand(-1, count, -1)


class SmallLeNet(Network):
    """Three features above a shared, a partial and a subsampling layer."""

    head: ClassVar[Head] = RadialBasis(j=3)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Pixels(background=-0.1, ink=1.175),
            *(nn.Conv2d(1, 2, 5), ScaledTanh(), Subsample(2), ScaledTanh()),
            *(PartialConv2d([(0,), (0, 1), (1,)], in_maps=2, kernel=12), nn.Flatten()),
        )
        self.output = EuclideanRBF(torch.randn(10, 3).sign())
        self.double()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.2)

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        return self.layers(images)

    def scores(self, features: Tensor) -> Tensor:
        return -self.output(features)


@pytest.mark.parametrize("unit", [False, True])
def test_over_all_signs_it_is_the_exact_gauss_newton_diagonal(unit: bool) -> None:
    """J by autograd; H of eq. 9 = 2 (1 - sum p) I + 4 (sum p dd' - (sum p d)(sum p d)'),
    p the head's probabilities and d = x - w the way to each code; or H = I."""
    net, (images, digits) = SmallLeNet(), patterns(4)
    expected = [torch.zeros_like(parameter) for parameter in net.parameters()]
    for image in images:
        features = net.features(image[None])[0]
        p = net.probabilities(image[None])[0]
        assert 0.02 < p.sum() < 0.98  # both terms matter
        d = features - net.output.codes
        mean = p @ d
        one = torch.eye(3).double()
        own = 2 * (1 - p.sum()) * one + 4 * (d.T * p @ d - torch.outer(mean, mean))
        h = one if unit else own
        for total, parameter in zip(expected, net.parameters(), strict=True):
            rows = [torch.autograd.grad(f, parameter, retain_graph=True)[0] for f in features]
            jacobian = torch.stack(rows)
            total += torch.einsum("i...,ij,j...->...", jacobian, h.detach(), jacobian) / 4
    curvature = diagonal(net, images, digits, all_signs(4, 3), unit=unit)
    for parameter, h in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(curvature[parameter], h, rtol=1e-9, atol=1e-12)


def test_a_linear_softmax_classifier_has_p_times_one_minus_p_times_x_squared() -> None:
    class Linear(Network):
        head = Softmax()

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(784, 10, dtype=torch.float64)

        def forward(self, images: Tensor) -> Tensor:
            return self.layer(images.double().flatten(1) / 255)

    net, (images, digits) = Linear(), patterns(1)
    p, x = net.probabilities(images)[0].detach(), images.double().flatten() / 255
    h = diagonal(net, images, digits, all_signs(1, 10))[net.layer.weight]
    torch.testing.assert_close(h, torch.outer(p * (1 - p), x**2), rtol=1e-9, atol=1e-12)


def test_the_estimate_is_the_mean_over_patterns_and_draws() -> None:
    net, (images, digits) = SmallLeNet(), patterns(2)
    signs = torch.tensor([[[1, 1, -1], [-1, 1, 1]], [[1, 1, 1], [1, -1, 1]]])
    together = diagonal(net, images, digits, signs)
    apart = [
        diagonal(net, images[n, None], digits[n, None], signs[d, n][None, None])
        for d in (0, 1)
        for n in (0, 1)
    ]
    for parameter, h in together.items():
        mean = torch.stack([one[parameter] for one in apart]).mean(0)
        torch.testing.assert_close(h, mean, rtol=1e-9, atol=1e-12)


def connections(layer: nn.Module, shape: tuple[int, ...], weight: Tensor) -> Tensor:
    """(outputs, inputs): the weight of each connection of a layer, if it had these weights."""
    bare = deepcopy(layer)
    nn.init.zeros_(bare.bias)
    width = torch.Size(shape).numel()
    with torch.no_grad():
        bare.weight.copy_(weight)
        return bare(torch.eye(width).double().view(width, *shape)).flatten(1).T


def test_appendix_c_sums_over_all_connections_that_share_a_parameter() -> None:
    """Eq. 22 to 27, each connection by itself. For a unit with the weighted sum a and the state
    x = f(a): h_a = f'(a)^2 h_x; h_x = the sum of u^2 h_a over its connections, of strength u, to
    later units; for a parameter: the sum of h_a x^2 over the connections that have it."""
    net, (images, digits) = SmallLeNet(), patterns(3)
    pixels, conv, squash, subsample, _, partial, _ = net.layers
    expected = {parameter: torch.zeros_like(parameter) for parameter in net.parameters()}
    for image in images:
        with torch.no_grad():
            x0 = pixels(image[None])
            x1 = squash(conv(x0))
            x2 = squash(subsample(x1))
        h = torch.ones(3).double()  # of the features, which are not squashed
        for layer, x in ((partial, x2), (subsample, x1), (conv, x0)):
            shape, weight = x.shape[1:], layer.weight.detach()
            expected[layer.bias] += h.view(len(layer.bias), -1).sum(1)
            if layer is subsample:  # the coefficient multiplies the sum of a window
                sums = x.unflatten(3, (-1, 2)).sum(4).unflatten(2, (-1, 2)).sum(3)
                expected[layer.weight] += (h * sums.flatten() ** 2).view(len(weight), -1).sum(1)
            else:
                numbers = torch.arange(1, weight.numel() + 1).double().view(weight.shape)
                numbered = connections(layer, shape, numbers).round().long()  # 0: not connected
                totals = torch.zeros(weight.numel() + 1).double()
                of_connections = torch.outer(h, x.flatten() ** 2)
                totals.index_add_(0, numbered.flatten(), of_connections.flatten())
                expected[layer.weight] += totals[1:].view(weight.shape)
            slope = 1.7159 * (2 / 3) * (1 - (x.flatten() / 1.7159) ** 2)  # of A tanh(2a/3)
            h = slope**2 * (connections(layer, shape, weight).T ** 2 @ h)
    for curvature in (appendix_c(net, images), measured_by("appendix_c", net, images, digits)):
        for parameter, total in expected.items():
            torch.testing.assert_close(curvature[parameter], total / 3, rtol=1e-9, atol=1e-12)


def measured_by(
    method: str, net: Network, images: Tensor, labels: Tensor
) -> dict[nn.Parameter, Tensor]:
    draws = torch.Generator().manual_seed(5)
    return measure(method, net, images, labels, net.head.loss, draws)


@pytest.mark.parametrize(("name", "unit"), [("gauss_newton", False), ("unit_gauss_newton", True)])
def test_gauss_newton_by_its_name_is_the_diagonal_with_drawn_signs(name: str, unit: bool) -> None:
    net, (images, digits) = SmallLeNet(), patterns(2)
    signs = random_signs(net, images, torch.Generator().manual_seed(5))
    expected = diagonal(net, images, digits, signs, unit=unit)
    for parameter, h in measured_by(name, net, images, digits).items():
        torch.testing.assert_close(h, expected[parameter], rtol=1e-12, atol=0)


def test_appendix_c_leaves_what_a_network_computes_as_it_was() -> None:
    net, (images, _) = SmallLeNet(), patterns(2)
    before = net(images)
    appendix_c(net, images)
    assert net(images).equal(before)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_appendix_c_refuses_what_it_has_no_rule_for() -> None:
    with pytest.raises(UserError, match=r"appendix C has no rule for .*batch_norm"):
        appendix_c(mnist_arch.build("batchnorm_cnn"), patterns(2)[0])


@pytest.mark.parametrize("name", ["tanh_cnn", "batchnorm_cnn"])
def test_a_network_is_measured_in_evaluation_mode_and_left_as_it_was(name: str) -> None:
    """Neither dropout nor the moving statistics of batch norm take part."""
    net, (images, digits) = mnist_arch.build(name).train(), patterns(2)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    signs = random_signs(net, images, torch.Generator())
    once, again = (diagonal(net, images, digits, signs) for _ in range(2))
    assert all(h.equal(again[parameter]) for parameter, h in once.items())
    assert all(h.any() for h in once.values())
    assert all(module.training for module in net.modules())
    assert all(value.equal(before[key]) for key, value in net.state_dict().items())
    assert {parameter: h.shape for parameter, h in once.items()} == {
        parameter: parameter.shape for parameter in net.parameters()
    }


def test_random_signs_are_as_many_as_patterns_and_features() -> None:
    for name, features in (("lenet5_1998", 84), ("batchnorm_cnn", 10)):
        signs = random_signs(mnist_arch.build(name), patterns(3)[0], torch.Generator(), count=40)
        assert signs.shape == (40, 3, features)
        assert set(signs.unique().tolist()) == {-1, 1}
        assert abs(signs.double().mean().item()) < 5 / signs.numel() ** 0.5  # five sd


def test_a_layer_called_features_is_no_half_of_a_network() -> None:
    class Plain(Network):
        head = Softmax()

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Linear(784, 3)
            self.output = nn.Linear(3, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.output(self.features(images.float().flatten(1)))

    net, (images, _) = Plain(), patterns(2)
    below, above = halves(net)
    assert below(images).equal(net(images))
    assert above(below(images)).equal(net(images))


def test_the_features_of_lenet5_1998_are_f6_and_lead_to_its_scores() -> None:
    net, (images, _) = mnist_arch.build("lenet5_1998"), patterns(3)
    nn.init.constant_(net.f6.bias, 100.0)
    torch.testing.assert_close(net.features(images), torch.full((3, 84), 1.7159))  # squashed
    nn.init.normal_(net.f6.bias)
    below, above = halves(net)
    features = below(images)
    assert features.equal(net.features(images))
    assert above(features).equal(net(images))
    distance = F.pairwise_distance(features[:, None], net.output.codes[None], eps=0).square()
    torch.testing.assert_close(net(images), -distance, rtol=1e-5, atol=1e-5)
