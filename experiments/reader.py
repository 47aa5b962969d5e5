"""Draws what the reader practises on beside MNIST: digits on other papers, and no digits.

    python -m experiments.reader                      (a quarter of an hour; into the cache)
    python -m experiments.run experiment=reader       (then trains it)
    python -m experiments.ship RUN                    (and puts its weights into the package)

It draws the same pictures each time. Of MNIST only those training digits are among them that
recipe=reader does not hold out.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch.errors import UserError


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--out", type=Path, help="the folder, in place of that in the cache")
    args = parser.parse_args()
    if args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: must be 1 or more")
    from mnist_arch.analysis import practice  # seconds of imports
    from mnist_arch.data import extras, sources
    from mnist_arch.data.splits import Split, stratified
    from mnist_arch.progress import progress
    from mnist_arch.runs.config import compose

    recipe = compose(["experiment=reader"])
    train = sources.load("mnist", sources.default_root()).train
    kept, _ = stratified(train.labels, recipe.recipe.validation, recipe.data.split_seed)
    originals = Split(train.images[kept], train.labels[kept])
    draw, sheets = partial(practice.practised, originals=originals), practice.sheets()
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        drawn = list(progress(pool.map(draw, sheets), "sheets", len(sheets)))
    folder = extras.folder(str(args.out or recipe.recipe.extra))
    extras.write(folder, drawn)
    print(f"{folder}: {sum(len(each.labels) for each in drawn):,} images")


if __name__ == "__main__":
    run_command(main)
