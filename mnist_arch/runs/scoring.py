"""What a network scores on a split: integers first, division last."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_arch.data.splits import Split
from mnist_arch.models.network import Network


@dataclass(frozen=True)
class Scored:
    """The scores of a split, in its order, and what follows from them.

    Attributes:
        scores: (N, 10) float32, the greatest wins.
        labels: (N,) int64, the truth.
        loss: Mean loss, reckoned in float64.
        confusion: 10 rows of truth with 10 columns of prediction, images.
    """

    scores: Tensor
    labels: Tensor
    loss: float
    confusion: list[list[int]]

    @property
    def errors(self) -> int:
        """Misread images."""
        return sum(self.errors_by_digit)

    @property
    def errors_by_digit(self) -> list[int]:
        """Misread images of each true digit."""
        return [sum(row) - row[digit] for digit, row in enumerate(self.confusion)]


def score(
    net: Network,
    batches: Iterable[Split],
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Scored:
    """Score all batches in evaluation mode, in float32 whatever the training's precision was.

    ``loss`` is a mean of scores and digits, None for that of the network's head. The network is
    left in evaluation mode; its parameters lie where the batches do.
    """
    net.eval()
    with torch.inference_mode():
        parts = [(net(images).cpu(), digits.cpu()) for images, digits in batches]
    scores, digits = (torch.cat(part) for part in zip(*parts, strict=True))
    cells = torch.bincount(10 * digits + scores.argmax(1), minlength=100)
    mean = (loss or net.head.loss)(scores.double(), digits).item()
    return Scored(scores, digits, mean, cells.view(10, 10).tolist())


def counted(split: str, scored: Scored | None) -> dict[str, float | None]:
    """Name what a record holds of a split: None for one that was not scored."""
    return {
        f"{split}_images": len(scored.labels) if scored else None,
        f"{split}_errors": scored.errors if scored else None,
        f"{split}_loss": scored.loss if scored else None,
    }
