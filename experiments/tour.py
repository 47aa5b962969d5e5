"""The tour for students and teachers: docs/learn.md, the same as a notebook, and its pictures.

    python -m experiments.tour                  (into a folder `tour`)
    python -m experiments.tour --out docs       (the published one)

Its numbers come from the records in results/, its pictures from the weights in the package and
MNIST's test digits. Nothing is trained.
"""

from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError

RESULTS = Path("results")


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="of the data")
    parser.add_argument("--out", type=Path, default=Path("tour"), metavar="FOLDER")
    args = parser.parse_args()
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out {args.out}: is not a folder; name one for the page")
    if not RESULTS.is_dir():
        raise UserError("there is no results/ here: call it in the project's folder")
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.reports import tour
    from mnist_arch.reports.figures.style import write_png

    text = tour.page(RESULTS)
    figures = tour.pictures(sources.load("mnist", args.root or sources.default_root()).test)
    pictures = args.out / "learn"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        write_png(figure, pictures / f"{name}.png")
        print(pictures / f"{name}.png")
    for name, content in (("learn.md", text), ("learn.ipynb", tour.notebook(text))):
        files.write(args.out / name, content)
        print(args.out / name)


if __name__ == "__main__":
    run_command(main)
