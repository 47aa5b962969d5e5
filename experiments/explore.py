"""What is in the data? A summary, and pictures of it.

    python -m experiments.explore
    python -m experiments.explore --data mnist_5k --out some_folder

It writes a page of the summary and its pictures. What the distortions of training make of the
digits, experiments.distortions shows. Distances between images are Euclidean, in pixel levels.
"""

import argparse
import math
import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.command import run_command
from mnist_arch import files
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.evaluation import exploration
from mnist_arch.evaluation.figures.data import count_bars, ink_boxes
from mnist_arch.evaluation.figures.digits import digit_rows
from mnist_arch.evaluation.figures.style import write_png

ACROSS = 12  # images in a row


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
    summary = exploration.summary(data.title, splits, exploration.duplicates(splits))
    print(summary)
    sys.stderr.write("looking for the training image that is nearest to each test image\n")
    nearest = exploration.nearest(data.test.images, data.train.images)
    asked.out.mkdir(parents=True, exist_ok=True)
    drawn = pictures(data.title, splits) | {"pairs": pairs(data.title, splits, *nearest)}
    page = [
        f"# {data.title}",
        "Written by `python -m experiments.explore`.",
        f"```\n{summary}\n```",
    ]
    for name, figure in drawn.items():
        path = asked.out / f"{asked.data}_{name}.png"
        write_png(figure, path)
        page.append(f"![{name}]({path.name})")
        print(path)
    files.write(asked.out / f"{asked.data}.md", "\n\n".join(page) + "\n")
    print(asked.out / f"{asked.data}.md")


def pictures(title: str, splits: dict[str, Split]) -> dict[str, Figure]:
    """Draw the counts of all splits, and what the training images look like."""
    train = splits["training"]
    images = {int(d): train.images[train.digits == d] for d in train.digits.unique()}
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
        "extremes": digit_rows(extremes, f"{title}: usual and unusual training images"),
    }


def pairs(title: str, splits: dict[str, Split], chosen: Tensor, distances: Tensor) -> Figure:
    """Draw for each digit the test image that is nearest to a training image, and that one."""
    train, test = splits["training"], splits["test"]
    closest = [
        int(torch.where(test.digits == digit, distances, math.inf).argmin())
        for digit in test.digits.unique()
    ]
    rows = {"test": test.images[closest], "training": train.images[chosen[closest]]}
    names = [f"{distances[index]:.0f}" for index in closest]
    return digit_rows(rows, f"{title}: the nearest pairs, and their distances", names)


def row(images: Tensor) -> Tensor:
    """Take the first images of some, white where there are not enough."""
    blank = images.new_zeros(max(0, ACROSS - len(images)), *images.shape[1:])
    return torch.cat([images[:ACROSS], blank])


if __name__ == "__main__":
    run_command(main)
