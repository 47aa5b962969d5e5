"""The compiled step of SDLM against the same step taken by torch's autograd."""

import copy
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

import mnist_arch
from mnist_arch.data.batches import Step
from mnist_arch.models.initialization import fan_in_uniform
from mnist_arch.models.network import Network
from mnist_arch.training.compiled import MATRIX_PRODUCTS, CompiledSDLM
from mnist_arch.training.optimizers import SDLM, parameter_groups
from mnist_arch.training.update import PlainUpdate, Update


def plain(net: Network, optimizer: SDLM) -> Update:
    return PlainUpdate(net, net.head.loss, optimizer)


def refuse(_: Step) -> tuple[Tensor, Tensor]:
    raise AssertionError("the step was not compiled")


def measured(net: nn.Module, seed: int) -> dict[nn.Parameter, Tensor]:
    """Curvature that differs from parameter to parameter."""
    draws = torch.Generator().manual_seed(seed)
    return {p: torch.rand(p.shape, generator=draws).to(p) * 5 for p in net.parameters()}


def test_every_weight_is_as_by_autograd_under_rates_and_curvature_that_change() -> None:
    one = mnist_arch.build("lenet5_1998")
    fan_in_uniform(one, power=0.5)
    two = copy.deepcopy(one.double())
    optimizers = [SDLM(parameter_groups(n, 1e-3), 5e-4, 0.02, 500) for n in (one, two)]
    updates: list[Update] = [
        CompiledSDLM(one, one.head.loss, optimizers[0], otherwise=refuse),
        plain(two, optimizers[1]),
    ]
    images = torch.randint(256, (300, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(10, (300,))
    for epoch, rate in enumerate((5e-4, 2e-4, 1e-3)):
        for net, optimizer in zip((one, two), optimizers, strict=True):
            optimizer.set_curvature(measured(net, epoch))
            for group in optimizer.param_groups:
                group["lr"] = rate
        for n in range(100 * epoch, 100 * epoch + 100):
            ours, torchs = (update(Step(images[n, None], labels[n, None])) for update in updates)
            torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-9)
    for weight, expected in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-9, atol=1e-9)
        assert weight.requires_grad


@pytest.mark.parametrize(
    ("maps", "kernel", "size", "options"),
    [
        ((1, 6), 5, (32, 32), {}),
        ((6, 16), 5, (14, 14), {}),
        ((16, 120), 5, (5, 5), {}),
        ((3, 4), (2, 3), (9, 6), {}),
        ((3, 4), 1, (4, 5), {"bias": False}),
        ((4, 6), 3, (8, 8), {"groups": 2}),  # these are left to torch
        ((3, 4), 3, (8, 8), {"stride": 2, "padding": 1}),
    ],
)
def test_a_convolution_of_one_image_and_its_slopes_are_torchs(
    maps: tuple[int, int], kernel: int, size: tuple[int, int], options: dict[str, Any]
) -> None:
    convolution = nn.Conv2d(*maps, kernel, **options, dtype=torch.float64)

    def slopes(image: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        inputs = (image, *parameters)
        names = [name for name, _ in convolution.named_parameters()]
        values = dict(zip(names, parameters, strict=True))
        maps = torch.func.functional_call(convolution, values, (image,))
        return maps, *torch.autograd.grad(maps.sin().sum(), inputs)

    inputs = [torch.randn(1, maps[0], *size, dtype=torch.float64), *convolution.parameters()]
    inputs = [each.detach().requires_grad_() for each in inputs]
    traced = make_fx(slopes, MATRIX_PRODUCTS)(*inputs)
    torch.testing.assert_close(traced(*inputs), slopes(*inputs), rtol=1e-12, atol=1e-12)
    left_to_torch = any("convolution" in str(node.target) for node in traced.graph.nodes)
    assert left_to_torch == bool({"groups", "stride"} & options.keys())


class Undecided(Network):
    """Looks at its own scores, which no trace can follow."""

    head = mnist_arch.models.heads.Softmax()

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        scores = self.output(images.float().flatten(1) / 255)
        return scores if scores.sum() > 0 else F.relu(scores)


def test_what_cannot_be_traced_is_trained_without_compiling_and_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    net = Undecided()
    optimizer = SDLM(parameter_groups(net, 0), 5e-4, 0.02, 500)
    optimizer.set_curvature(measured(net, 0))
    before = net.output.weight.detach().clone()
    update = CompiledSDLM(net, net.head.loss, optimizer, otherwise=plain(net, optimizer))
    for _ in range(2):
        scores, _ = update(Step(torch.full((1, 1, 28, 28), 255.0), torch.tensor([3])))
    assert scores.shape == (1, 10)
    assert not net.output.weight.equal(before)
    assert capsys.readouterr().err.startswith("training without compiling, several times slower: ")


SCRIPT = """
import torch, mnist_arch
from mnist_arch.data.batches import Step
from mnist_arch.training.compiled import CompiledSDLM
from mnist_arch.training.optimizers import SDLM, parameter_groups
net = mnist_arch.build("lenet5_1998")
optimizer = SDLM(parameter_groups(net, 0), 5e-4, 0.02, 500)
optimizer.set_curvature({p: torch.ones_like(p) for p in net.parameters()})
update = CompiledSDLM(net, net.head.loss, optimizer, otherwise=lambda step: print("otherwise"))
update(Step(torch.zeros(1, 1, 28, 28), torch.tensor([3])))
"""


def test_where_there_is_no_compiler_one_line_says_so() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "CXX"} | {"PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "otherwise\n"
    assert ran.stderr == (
        "training without compiling, several times slower: "
        "there is no C++ compiler; install g++, or set CXX\n"
    )
