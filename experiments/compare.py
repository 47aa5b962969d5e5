"""Which trained networks differ, and how surely? Nothing is trained again.

    python -m experiments.compare runs/mlp-seed* runs/mlp-modern-seed*
    python -m experiments.compare runs/lenet5-seed0 runs/lenet5-seed1 --html lenet5.html
    python -m experiments.compare 'results/lenet5-*.json' --markdown comparison.md

Runs that differ only in their seed are taken together, as one network; if all do, each is compared
with each. Records without predictions beside them, as in results/, tell less. Of equal runs the
first counts, and the mean that a sweep leaves among its runs is left out.
"""

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.files import target


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="+", help="run folders, record files, or globs of these")
    parser.add_argument("--markdown", type=target, metavar="FILE", help="write the tables here")
    parser.add_argument("--html", type=target, metavar="FILE", help="write a page with pictures")
    args = parser.parse_args()
    from mnist_arch.analysis.comparison import compare  # seconds of imports
    from mnist_arch.reports import comparison as report

    comparison = compare(words.runs(args.runs))
    print(report.text(comparison))
    if args.markdown:
        files.write(args.markdown, report.markdown(comparison))
        print(args.markdown)
    if args.html:
        files.write(args.html, report.html(comparison, *report.images_of(comparison.record)))
        print(args.html)


if __name__ == "__main__":
    run_command(main)
