"""Batches cut from whole tensors: no per-image work, no worker processes."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_arch.data.splits import Split
from mnist_arch.randomness import generator

Augmentation = Callable[[Tensor, torch.Generator], Tensor]  # (N, 1, 28, 28) -> the same, float
GATHERED = 4096  # images that are fetched in their new order together: fewer, larger copies


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
        if self.sampler is None:
            yield from _divided(*self.split, self.batch_size)
            return
        labels = self.split.labels
        draws = generator(self.sampler.seed, "augmentation", self.sampler.epoch)
        order = self.sampler.order(self.size).to(labels.device)
        whole_batches = max(1, GATHERED // self.batch_size) * self.batch_size
        for places in order.split(whole_batches):
            drawn = places % len(labels) if self.grown else places
            taken = (each.index_select(0, drawn) for each in self.split)
            gathered = _divided(*taken, self.batch_size)
            if self.augmentation is None:
                yield from gathered
                continue
            for batch, batch_places in zip(gathered, places.split(self.batch_size), strict=True):
                augmented = self.augmentation(batch.images, draws)
                if self.grown:
                    copies = (batch_places >= len(labels))[:, None, None, None]
                    augmented = torch.where(copies, augmented, batch.images)
                yield Split(augmented, batch.labels)

    @property
    def grown(self) -> bool:
        """Whether there are augmented copies beside the images as they are."""
        return self.size > len(self.split.labels)


class Step(NamedTuple):
    """What one optimiser step is computed from."""

    images: Tensor  # (B, 1, 28, 28)
    labels: Tensor  # (B,)
    weight: float  # of this process's mean loss in the mean over all processes


class Chunks:
    """Hands out training batches by the chunk: lists of ``length`` steps, the last one shorter.

    Lightning's loop takes 1.5 to 2 ms for whatever it is handed, several times what a step of a
    small network takes.

    Where several processes train together, each is handed its share of every batch: of the
    ``world`` processes, number ``rank`` has every world-th image. The batch itself, order and
    augmentation included, is that of a single process.
    """

    batch_sampler = None  # Lightning asks for it where there is a sampler

    def __init__(
        self, batches: Batches, length: int = 1, *, rank: int = 0, world: int = 1
    ) -> None:
        self.batches, self.length, self.rank, self.world = batches, length, rank, world
        self.sampler = batches.sampler  # of which Lightning sets the epoch

    def __len__(self) -> int:
        return -(-len(self.batches) // self.length)

    def __iter__(self) -> Iterator[list[Step]]:
        steps = map(self._share, self.batches)
        while chunk := list(islice(steps, self.length)):
            yield chunk

    def _share(self, batch: Split) -> Step:
        if self.world == 1:
            return Step(*batch, 1.0)
        images, labels = (each[self.rank :: self.world] for each in batch)
        if not len(labels):  # a last batch with fewer images than there are processes
            return Step(batch.images[:1], batch.labels[:1], 0.0)
        return Step(images, labels, len(labels) * self.world / len(batch.labels))


def _divided(images: Tensor, labels: Tensor, batch_size: int) -> Iterator[Split]:
    return map(Split, images.split(batch_size), labels.split(batch_size))
