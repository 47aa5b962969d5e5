"""Batches cut from whole tensors: no per-image work, no worker processes."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mnist_arch.data.splits import Split
from mnist_arch.randomness import generator

Augmentation = Callable[[Tensor, torch.Generator], Tensor]  # (N, 1, 28, 28) -> the same, float

# Images that are scored at once: of 64 to 2,000, the number that is quick for every network on a
# CPU, if its weights are channels-last: 2.7 to 15 times as quick as training.
EVALUATION_BATCH = 250


class Shuffle:
    """A new order for each epoch: a function of (seed, epoch) alone."""

    def __init__(self, seed: int) -> None:
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0. Lightning calls this on ``loader.sampler`` at its start."""
        self.epoch = epoch

    def order(self, count: int) -> Tensor:
        """Return the (count,) indices of this epoch."""
        return torch.randperm(count, generator=generator(self.seed, "order", self.epoch))


class Batches:
    """Iterates over ((B, 1, 28, 28) images, (B,) labels); the last, short batch is kept.

    With a ``sampler`` the images come in its order, each augmented if there is an
    ``augmentation``; without, as they are and in file order. With a ``size`` beyond their number
    each image comes once as it is, and for the rest of the epoch in augmented copies, as often as
    the others. Order and augmentation are drawn on the CPU, so that they do not depend on the
    device of the split.
    """

    batch_sampler = None  # Lightning asks for it where there is a sampler

    def __init__(
        self,
        split: Split,
        batch_size: int,
        sampler: Shuffle | None = None,
        augmentation: Augmentation | None = None,
        size: int | None = None,
    ) -> None:
        self.split, self.batch_size = split, batch_size
        self.sampler, self.augmentation = sampler, augmentation
        self.size = size or len(split.labels)

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def sample(self, count: int, draws: torch.Generator) -> Split:
        """Draw at most ``count`` distinct images, augmented like training batches."""
        images, labels = self.split
        chosen = torch.randperm(len(labels), generator=draws)[:count].to(labels.device)
        drawn = images[chosen]
        return Split(
            self.augmentation(drawn, draws) if self.augmentation else drawn, labels[chosen]
        )

    def __iter__(self) -> Iterator[Split]:
        images, labels = self.split
        if self.sampler is None:
            yield from map(Split, images.split(self.batch_size), labels.split(self.batch_size))
            return
        draws = generator(self.sampler.seed, "augmentation", self.sampler.epoch)
        order = self.sampler.order(self.size).to(labels.device)
        for batch in order.split(self.batch_size):
            drawn = batch % len(labels)
            chosen = images[drawn]
            if self.augmentation:
                augmented = self.augmentation(chosen, draws)
                copies = (batch >= len(labels))[:, None, None, None]
                chosen = torch.where(copies, augmented, chosen) if self.grown else augmented
            yield Split(chosen, labels[drawn])

    @property
    def grown(self) -> bool:
        """Whether there are augmented copies beside the images as they are."""
        return self.size > len(self.split.labels)
