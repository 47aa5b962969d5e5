"""Pictures and networks that the page's tests share."""

from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import mnist_arch
from mnist_arch.inference.predictor import Predictor
from mnist_arch.models.heads import Softmax
from mnist_arch.models.network import Network
from mnist_arch.page.nets import Net
from tests.factories import drawn, written


def picture(*strokes: list[tuple[int, int]]) -> bytes:
    """Lines on a page of 320 x 320, as a file; without any a blank one."""
    return written(Image.fromarray(drawn(*strokes)), "PNG")


class Constant(Network):
    """Gives every image the same digit, with the probability 1 or nearly 0.1."""

    title = "Constant"
    head = Softmax()

    def __init__(self, digit: int, *, sure: bool = True) -> None:
        super().__init__()
        self.row = torch.eye(10)[digit] * (100 if sure else 0.01)

    def forward(self, images: Tensor) -> Tensor:
        return self.row.expand(len(images), 10)


def net(network: Network, title: str = "") -> Net:
    return Net(title or network.title, "", "", None, 0, None, False, "", Predictor(network))


def untrained(*names: str) -> list[Net]:
    return [replace(net(mnist_arch.build(name)), architecture=name) for name in names]


def saved(path: Path, name: str, recipe: str | None = None) -> Path:
    """A checkpoint of untrained weights."""
    weights = mnist_arch.build(name).state_dict()
    metadata = {"architecture": name, "recipe": recipe or name, "seed": 3}
    state = {f"net.{key}": value for key, value in weights.items()}
    torch.save({"mnist_arch": metadata, "state_dict": state}, path)
    return path
