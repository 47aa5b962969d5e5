"""What is in the data? A summary, and pictures of it.

    python -m experiments.explore
    python -m experiments.explore --data mnist_5k --out some_folder

It writes a record of what was counted, and the page of it with pictures. The distorted samples are
drawn as augmented_cnn's recipe does it; experiments.distortions shows every other way. Distances
between images are Euclidean, in pixel levels.
"""

import argparse
import math
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.command import run_command
from experiments.distortions import distortion_of
from mnist_arch import files
from mnist_arch.data import exploration, sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.randomness import generator
from mnist_arch.reports.figures.data import count_bars, ink_boxes
from mnist_arch.reports.figures.digits import digit_rows
from mnist_arch.reports.figures.style import write_png
from mnist_arch.runs.records import write_values

ACROSS = 12  # images in a row
DISTORTED = "augmented_cnn"  # whose recipe distorts the samples


def main() -> None:
    """Read the data, print the summary, and write the pictures."""
    parser = argparse.ArgumentParser(
        prog="experiments.explore", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--data", default="mnist", metavar="NAME", help="mnist, mnist_5k, ...")
    parser.add_argument("--root", type=Path, default=sources.default_root(), help="of the data")
    parser.add_argument("--out", type=Path, default=Path("docs/data"), metavar="FOLDER")
    asked = parser.parse_args()
    if asked.out.exists() and not asked.out.is_dir():
        raise UserError(f"--out {asked.out}: is not a folder; name one for the pictures")
    data = sources.load(asked.data, asked.root)
    held_out = {"validation": data.validation} if data.validation else {}
    splits = {"training": data.train, **held_out, "test": data.test}
    named = [] if asked.data == "mnist" else ["--data", asked.data]
    command = shlex.join(["python", "-m", "experiments.explore", *named])
    found = exploration.measure(data.title, splits, data.sha256, command)
    print(exploration.summary(found))
    sys.stderr.write("looking for the training image that is nearest to each test image\n")
    nearest = exploration.nearest(data.test.images, data.train.images)
    asked.out.mkdir(parents=True, exist_ok=True)
    drawn = pictures(data.title, splits) | {"pairs": pairs(data.title, splits, *nearest)}
    shown = {name: f"{asked.data}_{name}.png" for name in drawn}
    for name, figure in drawn.items():
        write_png(figure, asked.out / shown[name])
        print(asked.out / shown[name])
    record, page = (asked.out / f"{asked.data}.{kind}" for kind in ("json", "md"))
    write_values(record, asdict(found))
    files.write(page, exploration.page(found, shown))
    print(record)
    print(page)


def pictures(title: str, splits: dict[str, Split]) -> dict[str, Figure]:
    """Draw the counts of all splits, and what the training images look like."""
    train = splits["training"]
    images = {int(d): train.images[train.labels == d] for d in train.labels.unique()}
    order = {d: exploration.by_distance_to_mean(of) for d, of in images.items()}
    moments = [exploration.mean_and_spread(of) for of in images.values()]
    extremes = {}
    for d, of in images.items():
        extremes[f"{d}, nearest to the mean {d}"] = row(of[order[d][:ACROSS]])
        extremes[f"{d}, farthest from it"] = row(of[order[d].flip(0)[:ACROSS]])
    return {
        "counts": count_bars(
            {name: exploration.counts(split) for name, split in splits.items()},
            f"{title}: digits by split",
        ),
        "samples": digit_rows(
            {str(d): row(of) for d, of in images.items()},
            f"{title}: the first training images",
        ),
        "means": digit_rows(
            {
                "mean": torch.stack([mean for mean, _ in moments]),
                # At most 127.5: half the levels' range.
                "standard deviation, twice as dark": 2 * torch.stack([s for _, s in moments]),
            },
            f"{title}: all training images of each digit",
            [str(digit) for digit in images],
        ),
        "ink": ink_boxes(
            {d: exploration.ink(of) for d, of in images.items()},
            f"{title}: ink of the training images",
        ),
        "distorted": digit_rows(
            dict(zip(map(str, images), distorted(of[0] for of in images.values()), strict=True)),
            f"{title}: the first training images, and how {DISTORTED} may see them",
        ),
        "extremes": digit_rows(extremes, f"{title}: usual and unusual training images"),
    }


def pairs(title: str, splits: dict[str, Split], chosen: Tensor, distances: Tensor) -> Figure:
    """Draw for each digit the test image that is nearest to a training image, and that one."""
    train, test = splits["training"], splits["test"]
    closest = [
        int(torch.where(test.labels == digit, distances, math.inf).argmin())
        for digit in test.labels.unique()
    ]
    rows = {"test": test.images[closest], "training": train.images[chosen[closest]]}
    names = [f"{distances[index]:.0f}" for index in closest]
    return digit_rows(rows, f"{title}: the nearest pairs, and their distances", names)


def distorted(images: Iterable[Tensor]) -> list[Tensor]:
    """Of each (1, 28, 28) image make a row: as it is, then distorted anew for each place."""
    distortion, draws = distortion_of(f"model={DISTORTED}"), generator(0, "augmentation")
    shown = [image.expand(ACROSS, -1, -1, -1) for image in images]
    return [torch.cat([row[:1].float(), distortion(row[1:], draws)]) for row in shown]


def row(images: Tensor) -> Tensor:
    """Take the first images of some, white where there are not enough."""
    blank = images.new_zeros(max(0, ACROSS - len(images)), *images.shape[1:])
    return torch.cat([images[:ACROSS], blank])


if __name__ == "__main__":
    run_command(main)
