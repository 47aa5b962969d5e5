"""Optimisers against their formulas, step by step in float64."""

import pytest
import torch
from torch import nn

import mnist_arch
from mnist_arch.models.lenet5_1998 import LeNet5Original
from mnist_arch.models.tanh_cnn import TanhCNN
from mnist_arch.training.optimizers import SDLM, KerasAdam, Staircase, parameter_groups


@pytest.mark.parametrize("fused", [False, True])
def test_keras_adam_adds_epsilon_before_the_bias_correction(fused: bool) -> None:
    """Keras: w -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)."""
    lr, b1, b2, eps = 1e-2, 0.9, 0.999, 1e-3  # an epsilon so large that its place matters
    parameter = nn.Parameter(torch.randn(50, dtype=torch.float64))
    optimizer = KerasAdam([parameter], lr=lr, betas=(b1, b2), eps=eps, fused=fused)
    w, m, v = parameter.detach().clone(), torch.zeros(50), torch.zeros(50)
    for t in range(1, 11):
        gradient = torch.randn(50, dtype=torch.float64) * 1e-2
        m = b1 * m + (1 - b1) * gradient
        v = b2 * v + (1 - b2) * gradient**2
        w = w - lr * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (v.sqrt() + eps)
        parameter.grad = gradient
        optimizer.step()
        torch.testing.assert_close(parameter.detach(), w, rtol=1e-12, atol=1e-12)


def test_keras_adam_goes_on_where_its_saved_state_was() -> None:
    start, gradients = torch.randn(9, dtype=torch.float64), torch.randn(6, 9, dtype=torch.float64)

    def steps(parameter: nn.Parameter, optimizer: KerasAdam, some: torch.Tensor) -> None:
        for gradient in some:
            parameter.grad = gradient.clone()
            optimizer.step()

    straight = nn.Parameter(start.clone())
    steps(straight, KerasAdam([straight], lr=0.1, eps=0.1), gradients)
    halted = nn.Parameter(start.clone())
    before = KerasAdam([halted], lr=0.1, eps=0.1)
    steps(halted, before, gradients[:3])
    resumed = nn.Parameter(halted.detach().clone())
    after = KerasAdam([resumed], lr=0.1, eps=0.1)
    after.load_state_dict(before.state_dict())
    steps(resumed, after, gradients[3:])
    assert resumed.equal(straight)


def test_l2_adds_two_c_w_to_the_gradient_of_kernels_and_nothing_to_biases() -> None:
    net, c, rate = TanhCNN().double(), 0.04, 0.003
    for parameter in net.parameters():
        nn.init.normal_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    torch.optim.SGD(parameter_groups(net, c), lr=rate).step()
    for name, parameter in net.named_parameters():
        w = before[name]
        expected = w if name.endswith("bias") else w - rate * 2 * c * w
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", mnist_arch.architectures())
def test_groups_hold_every_parameter_once(name: str) -> None:
    net = mnist_arch.build(name)
    grouped = [id(p) for group in parameter_groups(net, 0.1) for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, net.parameters()))


def test_without_l2_only_kernels_follow_the_optimisers_own_decay() -> None:
    net = LeNet5Original()
    kernels, vectors = torch.optim.AdamW(
        parameter_groups(net, 0), lr=1e-3, weight_decay=0.1
    ).param_groups
    assert (kernels["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in kernels["params"]] == [4, 3, 4, 2]  # c1, c3, c5, f6


def test_sdlm_divides_the_global_rate_by_mu_plus_curvature() -> None:
    """Appendix C: w -= lr / (mu + h) * gradient, h fixed until it is measured again."""
    w = nn.Parameter(torch.randn(30, dtype=torch.float64))
    optimizer, expected = SDLM([w], lr=5e-4, mu=0.02, patterns=500), w.detach().clone()
    for _ in range(2):
        h = torch.rand(30, dtype=torch.float64) * 7
        optimizer.set_curvature({w: h})
        for _ in range(3):
            w.grad = torch.randn(30, dtype=torch.float64)
            expected -= 5e-4 / (0.02 + h) * w.grad
            optimizer.step()
    torch.testing.assert_close(w.detach(), expected, rtol=1e-12, atol=1e-15)


def test_sdlm_counts_weight_decay_as_part_of_the_loss() -> None:
    """c w^2 / 2 adds c w to the gradient and c to the second derivative."""
    w, c = nn.Parameter(torch.randn(5, 2, dtype=torch.float64)), 0.3
    before, gradient, h = w.detach().clone(), torch.randn(5, 2), torch.rand(5, 2)
    optimizer = SDLM([{"params": [w], "weight_decay": c}], lr=0.1, mu=0.02, patterns=500)
    optimizer.set_curvature({w: h})
    w.grad = gradient.double()
    optimizer.step()
    expected = before - 0.1 / (0.02 + h + c) * (gradient + c * before)
    torch.testing.assert_close(w.detach(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["lr", "mu", "patterns"])
def test_sdlm_refuses_what_is_not_positive(name: str) -> None:
    arguments = {"lr": 1, "mu": 1, "patterns": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"{name}=0: must be greater than 0"):
        SDLM([nn.Parameter(torch.zeros(1))], **arguments)


def test_sdlm_refuses_an_unknown_way_to_measure_curvature() -> None:
    with pytest.raises(ValueError, match="curvature=appendix: did you mean appendix_c"):
        SDLM([nn.Parameter(torch.zeros(1))], lr=1, mu=1, patterns=1, curvature="appendix")


def test_a_staircase_needs_one_rate_more_than_flights() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1)
    with pytest.raises(ValueError, match="3 rates need 2 passes, not 3"):
        Staircase(optimizer, [3, 2, 1], [1, 1, 1])
