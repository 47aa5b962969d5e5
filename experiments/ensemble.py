"""Are several trained networks better than the best of them? Nothing is trained again.

    python -m experiments.ensemble runs/augmented_cnn-seed*
    python -m experiments.ensemble runs/lenet5-seed0 runs/mlp-seed0 --out both.json

The test images are classified by the averaged probabilities of all members. Runs that left them
unread (test=false) are judged on the validation images that all of them held out: choose by these.
Of equal runs the first is a member.
"""

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch.files import target


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="+", help="folders of finished runs, or globs of these")
    parser.add_argument("--out", type=target, metavar="FILE", help="write the record here")
    args = parser.parse_args()
    from mnist_arch.analysis.ensembles import average  # seconds of imports
    from mnist_arch.reports.table import Column, Table

    runs = words.runs(args.runs)
    ensemble = average(runs, parser.command)
    scores = [(member["errors"], member["loss"]) for member in ensemble.members]
    scores.append((ensemble.errors, ensemble.loss))
    images = ensemble.images
    rows = [
        (str(name), errors, 100 * (images - errors) / images, loss)
        for name, (errors, loss) in zip([*runs, "all together"], scores, strict=True)
    ]
    columns = (
        Column("run"),
        Column("errors", "{:,}"),
        Column("accuracy", "{:.2f} %"),
        Column("loss", "{:.4f}"),
    )
    print(Table(columns, rows).text(widest=60))
    if args.out:
        ensemble.write(args.out)


if __name__ == "__main__":
    run_command(main)
