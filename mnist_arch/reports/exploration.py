"""What is in a data set: its record, its page, and its pictures."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from mnist_arch.data import exploration
from mnist_arch.data.exploration import Contents, pixel_statistics
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.reports.figures.data import count_bars, ink_boxes
from mnist_arch.reports.figures.digits import digit_rows
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import paragraphs, render
from mnist_arch.runs import records
from mnist_arch.runs.provenance import Provenance

ACROSS = 12  # images in a row

Splits = Mapping[str, Split]
Augmentation = Callable[[Tensor], Tensor]  # (N, 1, 28, 28), each image by its own draw


@dataclass(frozen=True, kw_only=True)
class Exploration(Contents):
    """The record of what is in a data set.

    Attributes:
        version: Of this format.
        data_title: The data set's own name.
        provenance: What made it.
    """

    version: int = 2
    data_title: str
    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))


def unless_the_same(path: Path, record: Exploration) -> Exploration:
    """Return the record in a file where it holds the same, by whichever code; else the new one."""
    try:
        before = records.read_as(Exploration, path)
    except UserError:
        return record
    return before if replace(before, provenance=record.provenance) == record else record


def counts(contents: Contents) -> Table:
    """A row for each digit: its images in each split."""
    columns = [Column("digit"), *(Column(name, "{:,}") for name in contents.counts)]
    rows = [
        *zip(map(str, range(10)), *contents.counts.values(), strict=True),
        ("all", *map(sum, contents.counts.values())),
    ]
    return Table(columns, rows)


def facts(record: Exploration) -> list[str]:
    """Say in paragraphs how many images there are, what their pixels are like, what repeats."""
    return paragraphs("exploration.prose.j2", "facts", record, pixel_statistics(record.histogram))


def text(record: Exploration) -> str:
    """Lay the record out for a screen."""
    return "\n".join([record.data_title, "", counts(record).text(), "", *facts(record)])


def page(record: Exploration, pictures: Mapping[str, str]) -> str:
    """Lay the record out as Markdown; ``pictures`` are files by the names of `figures`."""
    answer, *rest = facts(record)
    return render(
        "exploration.md.j2",
        record=record,
        counts=counts(record),
        answer=answer,
        facts=rest,
        pictures=pictures,
    )


def figures(title: str, splits: Splits, augment: Augmentation) -> dict[str, Figure]:
    """Draw the counts of all splits, and what the images look like, the first split's mostly."""
    train, test = splits["training"], splits["test"]
    images = {int(d): train.images[train.labels == d] for d in train.labels.unique()}
    order = {d: exploration.by_distance_to_mean(some) for d, some in images.items()}
    moments = [exploration.mean_and_spread(some) for some in images.values()]
    extremes = {}
    for d, some in images.items():
        extremes[f"{d}, nearest to the mean {d}"] = row(some[order[d][:ACROSS]])
        extremes[f"{d}, farthest from it"] = row(some[order[d].flip(0)[:ACROSS]])
    return {
        "counts": count_bars(
            {name: exploration.counts(split) for name, split in splits.items()},
            f"{title}: digits by split",
        ),
        "samples": digit_rows(
            {str(d): row(some) for d, some in images.items()},
            f"{title}: the first training images",
        ),
        "means": digit_rows(
            {
                "mean": torch.stack([mean for mean, _ in moments]),
                # At most 127.5: half the range.
                "standard deviation, twice as dark": 2 * torch.stack([s for _, s in moments]),
            },
            f"{title}: all training images of each digit",
            [str(digit) for digit in images],
        ),
        "ink": ink_boxes(
            {d: exploration.ink(some) for d, some in images.items()},
            f"{title}: ink of the training images",
        ),
        "augmented": digit_rows(
            {str(d): augmented(some[0], augment) for d, some in images.items()},
            f"{title}: the first training images, and how augmentation changes them",
        ),
        "extremes": digit_rows(extremes, f"{title}: usual and unusual training images"),
        "pairs": nearest_pairs(title, train, test),
    }


def nearest_pairs(title: str, train: Split, test: Split) -> Figure:
    """Draw for each digit the test image that is nearest to a training image, and that one."""
    chosen, distances = exploration.nearest(test.images, train.images)
    closest = [
        int(torch.where(test.labels == digit, distances, math.inf).argmin())
        for digit in test.labels.unique()
    ]
    rows = {"test": test.images[closest], "training": train.images[chosen[closest]]}
    names = [f"{distances[index]:.0f}" for index in closest]
    return digit_rows(rows, f"{title}: the nearest pairs, and their distances", names)


def augmented(image: Tensor, augment: Augmentation) -> Tensor:
    """(1, 28, 28) -> a row of it: as it is, then augmented anew for each place."""
    images = image.expand(ACROSS, -1, -1, -1)
    return torch.cat([images[:1].float(), augment(images[1:])])


def row(images: Tensor) -> Tensor:
    """Take the first images of some, white where there are not enough."""
    blank = images.new_zeros(max(0, ACROSS - len(images)), *images.shape[1:])
    return torch.cat([images[:ACROSS], blank])
