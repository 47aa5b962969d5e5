"""What is in the data? A summary, and pictures of it.

    python -m experiments.explore
    python -m experiments.explore --data mnist_5k --out some_folder

It writes a record of what was counted, and the page of it with pictures, into a folder `explored`
unless told otherwise. The augmented samples are those of augmented_cnn's recipe;
experiments.distortions shows every other way. Distances between images are Euclidean, over their
784 pixel values.
"""

import shlex
import sys
from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError

AUGMENTED = "augmented_cnn"  # whose recipe augments the samples


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("--data", default="mnist", metavar="NAME", help="mnist, mnist_5k, ...")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="of the data")
    parser.add_argument("--out", type=Path, default=Path("explored"), metavar="FOLDER")
    args = parser.parse_args()
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out {args.out}: is not a folder; name one for the pictures")
    from hydra.utils import instantiate  # seconds of imports

    from mnist_arch.data import exploration, sources
    from mnist_arch.randomness import generator
    from mnist_arch.reports import exploration as report
    from mnist_arch.reports.figures.style import write_png
    from mnist_arch.runs.config import compose
    from mnist_arch.runs.provenance import Provenance

    data = sources.load(args.data, args.root or sources.default_root())
    held_out = {"validation": data.validation} if data.validation else {}
    splits = {"training": data.train, **held_out, "test": data.test}
    named = [] if args.data == "mnist" else ["--data", args.data]
    command = shlex.join([*parser.prog.split(), *named])
    record = report.Exploration(
        **vars(exploration.measure(splits)),
        data_title=data.title,
        provenance=Provenance.of(command, data.sha256),
    )
    print(report.text(record))
    sys.stderr.write("drawing; the search for each test image's nearest takes a while\n")
    augmentation = instantiate(compose([f"model={AUGMENTED}"]).recipe.augmentation)
    draws = generator(0, "augmentation")
    figures = report.figures(data.title, splits, lambda images: augmentation(images, draws))
    args.out.mkdir(parents=True, exist_ok=True)
    pictures = {name: f"{args.data}_{name}.png" for name in figures}
    for name, figure in figures.items():
        write_png(figure, args.out / pictures[name])
        print(args.out / pictures[name])
    path = args.out / f"{args.data}.json"
    record = report.unless_the_same(path, record)
    record.write(path)
    files.write(path.with_suffix(".md"), report.page(record, pictures))
    print(path, path.with_suffix(".md"), sep="\n")


if __name__ == "__main__":
    run_command(main)
