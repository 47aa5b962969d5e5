"""Draws what the reader practises on beside MNIST: digits on other papers, and no digits.

    python -m experiments.reader                      (a quarter of an hour; into the cache)
    python -m experiments.run experiment=reader       (then trains it)
    python -m experiments.ship runs/reader-seed0      (and puts its weights into the package)

The same seed draws the same pictures. Of MNIST only those training digits are among them that
recipe=reader does not hold out.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from experiments.command import Parser, run_command


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("--seed", type=int, default=0, help="draws other pictures")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures, from 0 to 1")
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--out", type=Path, help="the folder, in place of that in the cache")
    args = parser.parse_args()
    from mnist_arch.analysis import practice  # seconds of imports
    from mnist_arch.data import extras, sources
    from mnist_arch.data.splits import Split, stratified
    from mnist_arch.progress import progress
    from mnist_arch.runs.config import compose

    recipe = compose(["experiment=reader"])
    train = sources.load("mnist", sources.default_root()).train
    kept, _ = stratified(train.labels, recipe.recipe.validation, recipe.data.split_seed)
    originals = Split(train.images[kept], train.labels[kept])
    draw = partial(practice.practised, originals=originals, seed=args.seed)
    sheets = practice.sheets(args.share)
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        drawn = list(progress(pool.map(draw, sheets), "sheets", len(sheets)))
    folder = extras.folder(str(args.out or recipe.recipe.extra))
    extras.write(folder, drawn)
    print(f"{folder}: {sum(len(each.labels) for each in drawn):,} images")


if __name__ == "__main__":
    run_command(main)
