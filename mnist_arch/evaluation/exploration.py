"""What is in a data set, counted in whole numbers where it can be.

Images are (N, 1, 28, 28) uint8 pixel levels; distances are Euclidean, in pixel levels over the
784 pixels of an image.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_arch.data.splits import Split

BLOCK = 1000  # images of one matrix product


class PixelStatistics(NamedTuple):
    """Of all pixels of a split."""

    mean: float  # of level / 255
    deviation: float  # of level / 255, over all pixels, not a sample's
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
    return torch.bincount(split.digits, minlength=10).tolist()


def pixel_statistics(images: Tensor) -> PixelStatistics:
    """Images -> statistics of their pixels, from exact sums of levels and squares."""
    found = torch.bincount(images.flatten(), minlength=256).tolist()
    pixels = sum(found)
    total = sum(level * count for level, count in enumerate(found))
    squares = sum(level**2 * count for level, count in enumerate(found))
    deviation = math.sqrt(pixels * squares - total**2) / pixels
    return PixelStatistics(total / pixels / 255, deviation / 255, 1 - found[0] / pixels)


def ink(images: Tensor) -> Tensor:
    """Images -> (N,) float64, the mean of level / 255 of each."""
    return images.flatten(1).sum(dim=1).double() / (255 * images[0].numel())


def mean_and_spread(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images -> their mean and standard deviation at each pixel, (1, 28, 28) float64 levels."""
    spread, mean = torch.std_mean(images.double(), dim=0, correction=0)
    return mean, spread


def by_distance_to_mean(images: Tensor) -> Tensor:
    """Images -> (N,) indices, the nearest to their mean first; of equals the earlier."""
    levels = images.double().flatten(1)
    return (levels - levels.mean(dim=0)).square().sum(dim=1).argsort(stable=True)


def duplicates(splits: Mapping[str, Split]) -> Duplicates:
    """Find the images that are equal byte by byte, in one split or in several."""
    found = defaultdict(list)
    for name, split in splits.items():
        for index, image in enumerate(split.images.numpy()):
            found[image.tobytes()].append((name, index))
    groups = [members for members in found.values() if len(members) > 1]
    labels = [{int(splits[name].digits[index]) for name, index in group} for group in groups]
    return Duplicates(groups, sum(len(digits) > 1 for digits in labels))


def nearest(images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """(N, ...) and (M, ...) images -> for each of N, the nearest of M and its distance.

    The search multiplies float32 matrices, so of others that are almost equally near either may
    be taken; the distance to it, (N,) float64, is exact before its square root.
    """
    levels, flat = images.flatten(1), others.flatten(1).float()
    # Centred, the products are smaller and lose less to rounding.
    middle = flat.mean(dim=0)
    flat = flat - middle
    squares = flat.square().sum(dim=1)
    found = [
        (squares - 2 * (block.float() - middle) @ flat.T).argmin(dim=1)
        for block in levels.split(BLOCK)
    ]
    chosen = torch.cat(found)
    offsets = levels.int() - others.flatten(1)[chosen].int()
    return chosen, offsets.square().sum(dim=1).double().sqrt()


def summary(title: str, splits: Mapping[str, Split], repeated: Duplicates) -> str:
    """Say in some lines what there is: counts, pixels, ink, duplicates. The first split trains."""
    lines = [title, "", "digit " + "".join(f"{name:>12}" for name in splits)]
    table = {name: counts(split) for name, split in splits.items()}
    lines += [
        f"{digit:<6}" + "".join(f"{of[digit]:>12,}" for of in table.values())
        for digit in range(10)
    ]
    lines.append("all   " + "".join(f"{sum(of):>12,}" for of in table.values()))
    name, split = next(iter(splits.items()))
    pixels = pixel_statistics(split.images)
    means = {
        int(digit): float(ink(split.images[split.digits == digit]).mean())
        for digit in split.digits.unique()
    }
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    lines += [
        "",
        f"level/255 of the {name} pixels: mean {pixels.mean:.4f}, sd {pixels.deviation:.4f}; "
        f"{100 * pixels.inked:.1f} % of the pixels are inked",
        f"most ink: {most} (mean {means[most]:.4f}), least: {least} ({means[least]:.4f})",
        "images equal to an earlier one: "
        + ", ".join(f"{repeated.within(name):,} within {name}" for name in splits),
        "images of one split in another: "
        + ", ".join(
            f"{repeated.between(one, other):,} of {other} in {one}"
            for one, other in combinations(splits, 2)
        ),
        f"equal images with different labels: {repeated.conflicting:,} groups",
    ]
    return "\n".join(lines)
