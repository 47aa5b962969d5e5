"""Are several trained networks better than the best of them? Nothing is trained again.

    python -m experiments.ensemble runs/augmented_cnn-seed*
    python -m experiments.ensemble runs/lenet5-seed0 runs/mlp-seed0 --out both.json

The test images are classified by the averaged probabilities of all members.
"""

import argparse
import shlex
import sys
from pathlib import Path

from experiments.command import run_command
from mnist_arch.files import target


def main() -> None:
    """Average, print the result, and write its record where --out says."""
    parser = argparse.ArgumentParser(
        prog="experiments.ensemble", description=__doc__.split("\n")[0]
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--out", type=target, metavar="FILE", help="write the record here")
    args = parser.parse_args()
    from mnist_arch.analysis.ensembles import average  # seconds of imports

    command = shlex.join(["python", "-m", "experiments.ensemble", *sys.argv[1:]])
    ensemble = average(args.runs, command)
    for folder, member in zip(args.runs, ensemble.members, strict=True):
        print(f"{member['test_errors']:>6,} errors, loss {member['test_loss']:.4f}  {folder}")
    best = min(member["test_errors"] for member in ensemble.members)
    print(
        f"{ensemble.test_errors:>6,} errors, loss {ensemble.test_loss:.4f}  all {len(args.runs)} "
        f"of them: {100 * (1 - ensemble.test_errors / ensemble.test_images):.2f} %, "
        f"the best member {100 * (1 - best / ensemble.test_images):.2f} %"
    )
    if args.out:
        ensemble.write(args.out)


if __name__ == "__main__":
    run_command(main)
