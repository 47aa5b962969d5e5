"""How is a trained network taken elsewhere? As ONNX or torch.export files that say what they are.

    python -m experiments.export runs/lenet5-seed0
    python -m experiments.export runs/* --format onnx --out exports

A file takes raw pixels, any number of images at once, and gives scores and probabilities. It is
kept only when it reads 1,000 digits as the network does; a model card is written beside it.
"""

import argparse
import shlex
import sys
from pathlib import Path

from experiments.command import run_command
from mnist_arch.errors import UserError
from mnist_arch.files import target


def main() -> None:
    """Export run by run, then print sizes and differences."""
    parser = argparse.ArgumentParser(prog="experiments.export", description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--format", default="onnx,pt2", metavar="NAMES", help="onnx, pt2 or both")
    parser.add_argument("--out", type=Path, default=Path("exports"), metavar="FOLDER")
    parser.add_argument("--data", default="mnist", metavar="NAME", help="to verify the files on")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="of the data")
    parser.add_argument("--record", type=target, metavar="FILE", help="for sizes and differences")
    asked = parser.parse_args()
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.inference.export import export
    from mnist_arch.reports import card
    from mnist_arch.reports.results import aligned
    from mnist_arch.runs import records

    if len({run.resolve().name for run in asked.runs}) < len(asked.runs):
        raise UserError(
            "two of the runs have the same name, so that their files would have it too"
        )
    for run in asked.runs:
        records.read(run / "record.json")  # what is no run is said before any work
    data = sources.load(asked.data, asked.root or sources.default_root())
    exported = []
    for run in asked.runs:
        kept = export(run, asked.out, asked.format.split(","), data)
        for file in kept:
            print(f"{asked.out / file.name}: verified on {file.verified_on}")
        exported += kept
    print(f"\n{aligned(card.table(exported))}")
    if asked.record:
        command = shlex.join(["python", "-m", "experiments.export", *sys.argv[1:]])
        card.write(asked.record, exported, command)


if __name__ == "__main__":
    run_command(main)
