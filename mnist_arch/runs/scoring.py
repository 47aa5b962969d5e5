"""What a network scores on a split: integers first, division last."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_arch.data.batches import EVALUATION_BATCH
from mnist_arch.data.splits import Split
from mnist_arch.models.network import Network


@dataclass(frozen=True)
class Scored:
    """The scores of a split, in its order, and what follows from them.

    Attributes:
        scores: (N, 10) float32, the greatest wins.
        labels: (N,) int64, the truth.
        log_probabilities: (N, 10) float64 of the ten classes, each row's exp summing to 1.
        loss: Mean of the loss trained by, computed in float64.
        confusion: 10 rows of truth with 10 columns of prediction, images.
    """

    scores: Tensor
    labels: Tensor
    log_probabilities: Tensor
    loss: float
    confusion: list[list[int]]

    @property
    def misclassified(self) -> Tensor:
        """(N,) bool: whether each image is."""
        return self.scores.argmax(1) != self.labels

    @property
    def errors(self) -> int:
        """Misclassified images."""
        return sum(sum(row) - row[label] for label, row in enumerate(self.confusion))


def scores_of(net: Network, images: Tensor) -> Tensor:
    """(N, 1, 28, 28) raw pixels -> (N, 10) scores on the CPU, in evaluation mode, in batches.

    The network may be on any device, and is left in evaluation mode.
    """
    net.eval()
    device = next(net.parameters(), images).device
    with torch.inference_mode():
        parts = [net(batch.to(device)).cpu() for batch in images.split(EVALUATION_BATCH)]
    return torch.cat(parts)


def score(
    net: Network, split: Split, loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Scored:
    """Score a split in float32, whatever the training's precision was.

    ``loss`` is a mean of scores and labels, None for that of the network's head.
    """
    scores, labels = scores_of(net, split.images), split.labels.cpu()
    cells = torch.bincount(10 * labels + scores.argmax(1), minlength=100)
    return Scored(
        scores,
        labels,
        net.head.log_probabilities(scores.double()),
        (loss or net.head.loss)(scores.double(), labels).item(),
        cells.view(10, 10).tolist(),
    )
