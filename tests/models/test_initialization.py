"""Starting weights against the laws that their sources state (Keras's: test_keras_parity.py)."""

import math

import pytest
import torch
from torch import nn

from mnist_arch.models.initialization import fan_in_uniform, lush_uniform
from mnist_arch.models.lenet5 import LeNet5
from mnist_arch.models.lenet5_1998 import LeNet5Original

GLOROT = [  # layer, kernel area x input channels, kernel area x output channels
    ("c1", 25 * 1, 25 * 6),
    ("c5", 25 * 16, 25 * 120),
    ("f6", 120, 84),
    ("output", 84, 10),
]


def assert_uniform(weights: torch.Tensor, bound: float) -> None:
    """A uniform law fills its interval: the bound is nearly reached, the sd is bound / sqrt 3."""
    count = weights.numel()
    assert weights.abs().max().item() <= bound * (1 + 1e-6)
    assert weights.abs().max().item() >= bound * (1 - 20 / count)
    # The sd of the sample sd is sd * sqrt((kurtosis - 1) / (4 n)) = sd * sqrt(0.2 / n).
    sd = bound / math.sqrt(3)
    assert weights.std().item() == pytest.approx(sd, rel=5 * math.sqrt(0.2 / count))
    assert weights.mean().item() == pytest.approx(0, abs=5 * sd / math.sqrt(count))


@pytest.mark.parametrize(("layer", "fan_in", "fan_out"), GLOROT)
def test_lenet5_kernels_are_glorot_uniform_and_biases_zero(
    layer: str, fan_in: int, fan_out: int
) -> None:
    modules: list[nn.Module] = [LeNet5().get_submodule(layer) for _ in range(20)]
    weights = torch.stack([module.get_parameter("weight").detach() for module in modules])
    assert_uniform(weights, math.sqrt(6 / (fan_in + fan_out)))
    assert not any(module.get_parameter("bias").any() for module in modules)


def test_c3_fans_count_the_connections_of_the_table() -> None:
    """A map that reads 3 has fan-in 75; each S2 map is read by 10, fan-out 250."""
    weights = torch.stack([LeNet5().c3.weight.detach() for _ in range(20)])
    assert_uniform(weights[:, :18], math.sqrt(6 / (75 + 250)))
    assert_uniform(weights[:, 18:54], math.sqrt(6 / (100 + 250)))
    assert_uniform(weights[:, 54:], math.sqrt(6 / (150 + 250)))


def test_the_sd_of_a_normal_cut_at_two_is_keras_constant() -> None:
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * 2 * density / math.erf(math.sqrt(2))
    assert math.sqrt(variance) == pytest.approx(0.8796256610342398)


def lenets(power: float | None) -> list[LeNet5Original]:
    """Forty of them; a power of None leaves the start to the network: the printed 2.4 / F."""
    nets = [LeNet5Original() for _ in range(40)]
    for net in nets if power else []:
        fan_in_uniform(net, power)
    return nets


@pytest.mark.parametrize("power", [None, 0.5])
@pytest.mark.parametrize(
    ("layer", "fan_in"), [("c1", 25), ("s2", 4), ("s4", 4), ("c5", 400), ("f6", 120)]
)
def test_lenet5_1998_starts_within_2_4_over_its_fan_in(
    layer: str, fan_in: int, power: float | None
) -> None:
    modules: list[nn.Module] = [net.get_submodule(layer) for net in lenets(power)]
    for parameter in ("weight", "bias"):
        drawn = torch.stack([module.get_parameter(parameter).detach() for module in modules])
        assert_uniform(drawn, 2.4 / fan_in ** (power or 1))


@pytest.mark.parametrize("power", [None, 0.5])
def test_lenet5_1998_c3_starts_by_the_number_of_maps_it_reads(power: float | None) -> None:
    modules = [net.c3 for net in lenets(power)]
    weights = torch.stack([module.weight.detach() for module in modules])
    biases = torch.stack([module.bias.detach() for module in modules])
    for kernels, maps, fan_in in [
        (slice(0, 18), slice(0, 6), 75),
        (slice(18, 54), slice(6, 15), 100),
        (slice(54, 60), slice(15, 16), 150),
    ]:
        assert_uniform(weights[:, kernels], 2.4 / fan_in ** (power or 1))
        assert_uniform(biases[:, maps], 2.4 / fan_in ** (power or 1))


def test_lush_starts_kernels_within_its_factor_over_the_root_of_the_fan_in() -> None:
    nets = [LeNet5Original() for _ in range(40)]
    for net in nets:
        lush_uniform(net, factor=1.4)
    drawn = {name: [net.get_parameter(name) for net in nets] for name, _ in net.named_parameters()}
    stacked = {name: torch.stack(each).detach() for name, each in drawn.items()}
    for name, fan_in in (("c1", 25), ("c5", 400), ("f6", 120)):
        assert_uniform(stacked[f"{name}.weight"], 1.4 / fan_in**0.5)
    assert_uniform(stacked["c3.weight"][:, :18], 1.4 / 75**0.5)
    assert_uniform(stacked["c3.weight"][:, 54:], 1.4 / 150**0.5)
    assert all((stacked[f"{name}.weight"] == 0.5).all() for name in ("s2", "s4"))
    assert not any(values.any() for name, values in stacked.items() if name.endswith("bias"))
