"""What is in a data set, counted in whole numbers where it can be.

Images are (N, 1, 28, 28) uint8 pixel levels; distances are Euclidean, in pixel levels over the
784 pixels of an image.
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

VERSION = 1
BLOCK = 1000  # images of one matrix product


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """The record of what is in a data set: whole numbers, the same on every machine.

    Attributes:
        version: Of this format.
        command: A command that repeats it.
        data_title: The data set's own name.
        data_sha256: Of each file that the data was read from, uncompressed.
        counts: For each split, the first of which trains, the images of each digit.
        levels: For each level 0 to 255 the pixels of the training split that have it.
        ink: For each digit the sum of the levels of its training images.
        repeated: For each split the images that are equal to an earlier one of it.
        shared: Of each two splits the images of the second that are in the first, as
            [first, second, images].
        conflicting: Groups of equal images with different labels.
    """

    version: int = VERSION
    command: str
    data_title: str
    data_sha256: dict[str, str]
    counts: dict[str, list[int]]
    levels: list[int]
    ink: list[int]
    repeated: dict[str, int]
    shared: list[list[Any]]
    conflicting: int


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
    return torch.bincount(split.labels, minlength=10).tolist()


def measure(
    title: str, splits: Mapping[str, Split], sha256: dict[str, str], command: str
) -> Exploration:
    """Measure the splits of a data set, the first of which trains."""
    train, *_ = splits.values()
    repeated = duplicates(splits)
    sums = train.images.flatten(1).sum(dim=1)
    return Exploration(
        command=command,
        data_title=title,
        data_sha256=sha256,
        counts={name: counts(split) for name, split in splits.items()},
        levels=torch.bincount(train.images.flatten(), minlength=256).tolist(),
        ink=[int(sums[train.labels == digit].sum()) for digit in range(10)],
        repeated={name: repeated.within(name) for name in splits},
        shared=[[*two, repeated.between(*two)] for two in combinations(splits, 2)],
        conflicting=repeated.conflicting,
    )


def pixel_statistics(levels: Sequence[int]) -> PixelStatistics:
    """The pixels of each level 0 to 255 -> their statistics, from exact sums and squares."""
    pixels = sum(levels)
    total = sum(level * count for level, count in enumerate(levels))
    squares = sum(level**2 * count for level, count in enumerate(levels))
    deviation = math.sqrt(pixels * squares - total**2) / pixels
    return PixelStatistics(total / pixels / 255, deviation / 255, 1 - levels[0] / pixels)


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
    labels = [{int(splits[name].labels[index]) for name, index in group} for group in groups]
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


def summary(found: Exploration) -> str:
    """Say in some lines what there is: counts, pixels, ink, duplicates."""
    name, (of_each, *_) = next(iter(found.counts)), found.counts.values()
    lines = [found.data_title, "", "digit " + "".join(f"{name:>12}" for name in found.counts)]
    lines += [
        f"{digit:<6}" + "".join(f"{of[digit]:>12,}" for of in found.counts.values())
        for digit in range(10)
    ]
    lines.append("all   " + "".join(f"{sum(of):>12,}" for of in found.counts.values()))
    pixels = pixel_statistics(found.levels)
    size = 255 * sum(found.levels) / sum(of_each)  # the sum of levels of an image all ink
    means = {
        digit: found.ink[digit] / images / size for digit, images in enumerate(of_each) if images
    }
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    lines += [
        "",
        f"level/255 of the {name} pixels: mean {pixels.mean:.4f}, sd {pixels.deviation:.4f}; "
        f"{100 * pixels.inked:.1f} % of the pixels are inked",
        f"most ink: {most} (mean {means[most]:.4f}), least: {least} ({means[least]:.4f})",
        "images equal to an earlier one: "
        + ", ".join(f"{count:,} within {name}" for name, count in found.repeated.items()),
        "images of one split in another: "
        + ", ".join(f"{count:,} of {other} in {one}" for one, other, count in found.shared),
        f"equal images with different labels: {found.conflicting:,} groups",
    ]
    return "\n".join(lines)


def page(found: Exploration, pictures: Mapping[str, str]) -> str:
    """Write the summary as Markdown, with pictures: what they show, and their files."""
    parts = [f"# {found.data_title}", f"Written by `{found.command}`."]
    parts.append(f"```\n{summary(found)}\n```")
    parts += [f"![{shown}]({file})" for shown, file in pictures.items()]
    return "\n\n".join(parts) + "\n"
