"""What does TensorBoard show of my runs? Their figures, and the mean of runs that differ in seed.

    python -m experiments.tensorboard runs
    tensorboard --logdir runs

A run draws its own figures at its end, and a sweep writes its means; this is for runs that have
none, because they were made with figures=false, or one by one.
"""

from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch.errors import UserError


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument(
        "--root", type=Path, help="of the data, if it is not where the runs had it"
    )
    parser.add_argument("--again", action="store_true", help="draw what is drawn, too")
    args = parser.parse_args()
    from mnist_arch.analysis.groups import groups  # seconds of imports
    from mnist_arch.data import sources
    from mnist_arch.reports import tensorboard
    from mnist_arch.runs import records
    from mnist_arch.runs.train import Run

    folders = [path.parent for path in sorted(args.runs.glob("*/record.json"))]
    runs = [Run(folder, records.read(folder)) for folder in folders]
    if not runs:
        raise UserError(f"{args.runs}: no finished runs there; make one with experiments.run")
    for run in runs:
        if run.record.tested and (args.again or not (run.folder / "figures").exists()):
            test = sources.load(run.record.data, args.root).test if args.root else None
            tensorboard.show(run, test)
            print(run.folder / "figures")
    for mean in tensorboard.write_means(groups(run.record for run in runs), args.runs):
        print(mean)


if __name__ == "__main__":
    run_command(main)
