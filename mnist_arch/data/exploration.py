"""What is in a data set, counted in whole numbers where it can be.

Images are (N, 1, 28, 28) uint8 pixel values; distances are Euclidean, over an image's 784 values.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mnist_arch.data.splits import Split

BLOCK = 1000  # images of one matrix product


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is in a data set: whole numbers, the same on every machine.

    Attributes:
        counts: For each split, the first of which trains, the images of each digit.
        histogram: For each pixel value 0 to 255, the pixels of the training split that have it.
        ink: For each digit, the sum of the pixel values of its training images.
        repeated: For each split, the images that are equal to an earlier one of it.
        shared: For each two splits, the images of the second that are in the first, as
            [first, second, images].
        conflicting: Groups of equal images with different labels.
    """

    counts: dict[str, list[int]]
    histogram: list[int]
    ink: list[int]
    repeated: dict[str, int]
    shared: list[list[Any]]
    conflicting: int

    @property
    def mean_ink(self) -> dict[int, float]:
        """For each digit in the training split, the mean of pixel value / 255."""
        train, *_ = self.counts.values()
        ink_of_one = 255 * sum(self.histogram) / sum(train)  # an image that is all ink
        pairs = enumerate(zip(self.ink, train, strict=True))
        return {digit: ink / images / ink_of_one for digit, (ink, images) in pairs if images}


class PixelStatistics(NamedTuple):
    """Of all pixels of a split."""

    mean: float  # of pixel value / 255
    deviation: float  # of the same; the population's, not a sample's
    inked: float  # share of pixels above 0


class Duplicates(NamedTuple):
    """Groups of byte-equal images: each has its members as (split, index)."""

    groups: list[list[tuple[str, int]]]
    conflicting: int  # groups whose members have different labels

    def within(self, split: str) -> int:
        """Count the images of a split that repeat an earlier one of it."""
        members = [sum(name == split for name, _ in group) for group in self.groups]
        return sum(max(count - 1, 0) for count in members)

    def between(self, one: str, other: str) -> int:
        """Count the images of ``other`` that are in ``one`` too."""
        return sum(
            sum(name == other for name, _ in group)
            for group in self.groups
            if any(name == one for name, _ in group)
        )


def counts(split: Split) -> list[int]:
    """Count the images of each digit: ten numbers."""
    return torch.bincount(split.labels, minlength=10).tolist()


def measure(splits: Mapping[str, Split]) -> Contents:
    """Count what is in the splits of a data set, the first of which trains."""
    train, *_ = splits.values()
    groups = duplicates(splits)
    sums = train.images.flatten(1).sum(dim=1)
    return Contents(
        counts={name: counts(split) for name, split in splits.items()},
        histogram=torch.bincount(train.images.flatten(), minlength=256).tolist(),
        ink=[int(sums[train.labels == digit].sum()) for digit in range(10)],
        repeated={name: groups.within(name) for name in splits},
        shared=[[*two, groups.between(*two)] for two in combinations(splits, 2)],
        conflicting=groups.conflicting,
    )


def pixel_statistics(histogram: Sequence[int]) -> PixelStatistics:
    """The pixels of each value 0 to 255 -> their statistics, from exact sums and squares."""
    pixels = sum(histogram)
    total = sum(value * count for value, count in enumerate(histogram))
    squares = sum(value**2 * count for value, count in enumerate(histogram))
    deviation = math.sqrt(pixels * squares - total**2) / pixels
    return PixelStatistics(total / pixels / 255, deviation / 255, 1 - histogram[0] / pixels)


def ink(images: Tensor) -> Tensor:
    """Images -> (N,) float64, the mean of pixel value / 255 of each."""
    return images.flatten(1).sum(dim=1).double() / (255 * images[0].numel())


def mean_and_spread(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images -> their mean and standard deviation at each pixel, (1, 28, 28) float64."""
    spread, mean = torch.std_mean(images.double(), dim=0, correction=0)
    return mean, spread


def by_distance_to_mean(images: Tensor) -> Tensor:
    """Images -> (N,) indices, the nearest to their mean first; of ties the earlier."""
    values = images.double().flatten(1)
    return (values - values.mean(dim=0)).square().sum(dim=1).argsort(stable=True)


def duplicates(splits: Mapping[str, Split]) -> Duplicates:
    """Group the images that are equal byte by byte, in one split or in several."""
    members_of = defaultdict(list)
    for name, split in splits.items():
        for index, image in enumerate(split.images.numpy()):
            members_of[image.tobytes()].append((name, index))
    groups = [members for members in members_of.values() if len(members) > 1]
    labels = [{int(splits[name].labels[index]) for name, index in group} for group in groups]
    return Duplicates(groups, sum(len(digits) > 1 for digits in labels))


def nearest(images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """(N, ...) and (M, ...) images -> for each of N, the nearest of M and its distance.

    The search multiplies float32 matrices, so that of others that are almost equally near either
    may be taken; the distance to it, (N,) float64, is exact before its square root.
    """
    values, flat = images.flatten(1), others.flatten(1).float()
    # Centred, the products are smaller and lose less to rounding.
    middle = flat.mean(dim=0)
    flat = flat - middle
    squares = flat.square().sum(dim=1)
    blocks = [
        (squares - 2 * (block.float() - middle) @ flat.T).argmin(dim=1)
        for block in values.split(BLOCK)
    ]
    chosen = torch.cat(blocks)
    offsets = values.int() - others.flatten(1)[chosen].int()
    return chosen, offsets.square().sum(dim=1).double().sqrt()
