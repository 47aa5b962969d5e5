"""What does TensorBoard show of my runs? Their figures, and the mean of runs that differ in seed.

    python -m experiments.board runs
    tensorboard --logdir runs

A run draws its own figures at its end, and a sweep writes its means; this is for runs that have
none, because they were made with figures=false, one by one, or before there were any.
"""

import argparse
from pathlib import Path

from experiments.command import run_command
from mnist_arch.data import sources
from mnist_arch.errors import UserError


def main() -> None:
    """Draw what is not drawn yet, and write the means."""
    parser = argparse.ArgumentParser(prog="experiments.board", description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--root", type=Path, default=sources.default_root(), help="of the data")
    parser.add_argument("--again", action="store_true", help="draw what is drawn, too")
    asked = parser.parse_args()
    from mnist_arch.reports import tensorboard
    from mnist_arch.reports.results import groups
    from mnist_arch.runs import (
        checkpoint,  # seconds of imports
        predictions,
        records,
    )

    folders = [path.parent for path in sorted(asked.runs.glob("*/record.json"))]
    if not folders:
        raise UserError(f"{asked.runs}: no finished runs there; make one with experiments.run")
    for folder in folders:
        record = records.read(folder)
        if record.test_images and (asked.again or not (folder / "figures").exists()):
            data = sources.load(record.data, asked.root)
            found = predictions.read(folder, record).probabilities
            tensorboard.show(folder, checkpoint.load(folder), record, data.test, found)
            print(folder / "figures")
    for mean in tensorboard.write_means(groups(map(records.read, folders)), asked.runs):
        print(mean)


if __name__ == "__main__":
    run_command(main)
