"""Emulated bf16 computes what torch's own does, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import mnist_arch
from mnist_arch.training.bf16 import EmulatedBF16


def integers(*shape: int) -> Tensor:
    """From -15 to 15: sums of their products are exact in float32, in whatever order."""
    return torch.randint(-15, 16, shape).bfloat16()


class Watch(TorchDispatchMode):
    """Keeps the types of what is multiplied below the modes entered after it."""

    def __init__(self) -> None:
        super().__init__()
        self.multiplied: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "conv" in str(func) or "mm" in str(func):
            self.multiplied |= {each.dtype for each in args if isinstance(each, Tensor)}
        return func(*args, **(kwargs or {}))


def gradients(images: Tensor, weight: Tensor) -> Tensor:
    images, weight = images.requires_grad_(), weight.requires_grad_()
    maps = F.conv2d(images, weight, padding=1)
    slopes = torch.autograd.grad(maps, [images, weight], torch.ones_like(maps))
    return torch.cat([each.flatten() for each in slopes])


PRODUCTS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "convolution": (F.conv2d, [(2, 8, 9, 9), (4, 8, 5, 5), (4,)]),
    "its gradients": (gradients, [(2, 8, 9, 9), (4, 8, 3, 3)]),
    "linear": (F.linear, [(5, 700), (3, 700), (3,)]),
    "matrix product": (torch.mm, [(5, 700), (700, 3)]),
    "products of copies": (torch.bmm, [(2, 5, 700), (2, 700, 3)]),
    "sums of copies": (torch.baddbmm, [(2, 5, 3), (2, 5, 700), (2, 700, 3)]),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_exact_sums_are_rounded_once(name: str) -> None:
    product, shapes = PRODUCTS[name]
    factors = [integers(*shape) for shape in shapes]
    exact = product(*(each.detach().double() for each in factors))
    assert (exact != exact.bfloat16()).any()  # there is something to round
    with Watch() as watch, EmulatedBF16():
        emulated = product(*factors)
    assert torch.equal(emulated, exact.bfloat16())
    assert watch.multiplied == {torch.float32}  # torch's own would give the same, slowly


def test_other_types_are_left_alone() -> None:
    images, weight = torch.rand(2, 3, 9, 9), torch.rand(4, 3, 5, 5)
    expected = F.conv2d(images, weight)
    with EmulatedBF16():
        assert torch.equal(F.conv2d(images, weight), expected)


@pytest.mark.parametrize("name", ["regularized_cnn", "augmented_cnn", "batchnorm_cnn"])
def test_gradients_of_a_network_are_those_of_torch(name: str) -> None:
    net = mnist_arch.build(name).train()
    images, labels = torch.randint(0, 256, (8, 1, 28, 28)).float(), torch.arange(8)

    def slope(bf16: bool) -> Tensor:
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            scores = net(images)
        slopes = torch.autograd.grad(net.head.loss(scores.float(), labels), list(net.parameters()))
        return torch.cat([each.flatten() for each in slopes])

    native, single = slope(True), slope(False)
    with EmulatedBF16():
        emulated = slope(True)
    assert (emulated - native).norm() < (single - native).norm() / 3
