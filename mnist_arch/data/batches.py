"""Batches cut from whole tensors: no per-image work, no worker processes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from mnist_arch.data.splits import Split
from mnist_arch.randomness import generator

Augmentation = Callable[[Tensor, torch.Generator], Tensor]  # (N, 1, 28, 28) -> the same, float
GATHERED = 1024  # images, about, that are put in order together: fewer, larger copies

# Images that are scored at once: of 64 to 2,000, the number that is quick for every network on a
# CPU, if its weights are channels-last: 2.7 to 15 times as quick as training.
EVALUATION_BATCH = 250


class Shuffle:
    """An order for each epoch: a function of (seed, epoch) alone.

    With ``reshuffle`` each epoch has its own, without it all have that of the first.
    """

    def __init__(self, seed: int, *, reshuffle: bool = True) -> None:
        self.seed, self.reshuffle, self.epoch = seed, reshuffle, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0. Lightning calls this on ``loader.sampler`` at its start."""
        self.epoch = epoch

    def order(self, count: int) -> Tensor:
        """Return the (count,) indices of this epoch."""
        epoch = self.epoch if self.reshuffle else 0
        return torch.randperm(count, generator=generator(self.seed, "order", epoch))


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
        for part in self.parts():
            yield from map(Split, *(each.split(self.batch_size) for each in part))

    def parts(self) -> Iterator[Split]:
        """Divide the epoch into parts of several whole batches each."""
        size = max(1, GATHERED // self.batch_size) * self.batch_size
        if self.sampler is None:
            yield from map(Split, *(each.split(size) for each in self.split))
            return
        draws = generator(self.sampler.seed, "augmentation", self.sampler.epoch)
        order = self.sampler.order(self.size).to(self.split.labels.device)
        for places in order.split(size):
            drawn = places % len(self.split.labels) if self.grown else places
            images, labels = (each.index_select(0, drawn) for each in self.split)
            if self.augmentation:
                batches = map(Split, images.split(self.batch_size), places.split(self.batch_size))
                images = torch.cat([self._augmented(*batch, draws) for batch in batches])
            yield Split(images, labels)

    def _augmented(self, images: Tensor, places: Tensor, draws: torch.Generator) -> Tensor:
        assert self.augmentation is not None
        augmented = self.augmentation(images, draws)
        if not self.grown:
            return augmented
        copies = places >= len(self.split.labels)
        return torch.where(copies[:, None, None, None], augmented, images)

    @property
    def grown(self) -> bool:
        """Whether there are augmented copies beside the images as they are."""
        return self.size > len(self.split.labels)


class Step(NamedTuple):
    """What one optimiser step is computed from.

    Where K copies of a network train together, images and labels have a leading dimension of K.
    """

    images: Tensor  # (B, 1, 28, 28)
    labels: Tensor  # (B,)
    weight: float = 1.0  # of this process's mean loss in the mean over all processes


class Chunks:
    """Hands out training batches by the chunk: lists of ``length`` steps, the last one shorter.

    Lightning's loop takes 1.5 to 2 ms for whatever it is handed, several times what a step of a
    small network takes.

    Where several processes train together, each is handed its share of every batch: of the
    ``world`` processes, number ``rank`` has every world-th image. The batch itself, order and
    augmentation included, is that of a single process.

    Attributes:
        taken: Steps at the beginning of the next epoch that were taken before: they are drawn
            again, and left out of their chunks, some of which are then empty.
    """

    batch_sampler = None  # Lightning asks for it where there is a sampler

    def __init__(
        self, batches: Batches, length: int = 1, *, rank: int = 0, world: int = 1
    ) -> None:
        self.batches, self.length, self.rank, self.world = batches, length, rank, world
        self.sampler: Any = batches.sampler  # of which Lightning sets the epoch
        self.taken = 0

    def __len__(self) -> int:
        return -(-len(self.batches) // self.length)

    def __iter__(self) -> Iterator[list[Step]]:
        taken, self.taken = self.taken, 0
        steps = enumerate(self._steps())
        while chunk := list(islice(steps, self.length)):
            yield [step for number, step in chunk if number >= taken]

    def _steps(self) -> Iterator[Step]:
        for batch in self.batches:
            yield Step(*batch) if self.world == 1 else self._share(batch)

    def _share(self, batch: Split) -> Step:
        images, labels = (each[self.rank :: self.world] for each in batch)
        if not len(labels):  # a last batch with fewer images than there are processes
            return Step(batch.images[:1], batch.labels[:1], 0.0)
        return Step(images, labels, len(labels) * self.world / len(batch.labels))


class StackedChunks(Chunks):
    """The same for copies that train together, each of which has an order of its own."""

    def __init__(self, copies: Sequence[Batches], length: int = 1) -> None:
        super().__init__(copies[0], length)
        self.copies = copies
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of all copies, from 0."""
        for copy in self.copies:
            assert copy.sampler is not None
            copy.sampler.set_epoch(epoch)

    @override
    def _steps(self) -> Iterator[Step]:
        for parts in zip(*(copy.parts() for copy in self.copies), strict=True):
            images, labels = (torch.stack(each) for each in zip(*parts, strict=True))
            size = self.batches.batch_size
            yield from map(Step, images.split(size, dim=1), labels.split(size, dim=1))
