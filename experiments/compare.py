"""Which trained nets differ, and how surely? Nothing is trained again.

    python -m experiments.compare runs/mlp-seed* runs/mlp-modern-seed*
    python -m experiments.compare runs/lenet5-seed0 runs/lenet5-seed1 --html lenet5.html
    python -m experiments.compare 'results/lenet5-*.json' --markdown comparison.md

Runs that differ only in their seed are taken together, as one net; if all do, each is compared
with each. Records without predictions beside them, as in results/, give less, and it is said what.
"""

import argparse
import glob
from pathlib import Path

from experiments.command import run_command
from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.files import target


def main() -> None:
    """Compare, show the tables, and write the pages asked for."""
    parser = argparse.ArgumentParser(
        prog="experiments.compare", description=__doc__.split("\n")[0]
    )
    parser.add_argument("runs", nargs="+", help="run folders, record files, or globs of these")
    parser.add_argument("--markdown", type=target, metavar="FILE", help="write the tables here")
    parser.add_argument(
        "--html",
        type=target,
        metavar="FILE",
        help="write a page with pictures, whole in itself",
    )
    asked = parser.parse_args()
    from mnist_arch.analysis.comparison import compare
    from mnist_arch.reports import comparison_tables  # seconds of imports
    from mnist_arch.reports.comparison_page import html, test_images

    compared = compare([path for word in asked.runs for path in paths(word)])
    print(comparison_tables.screen(compared))
    if asked.markdown:
        _write(asked.markdown, comparison_tables.page(compared))
    if asked.html:
        _write(asked.html, html(compared, *test_images(compared.record)))


def paths(word: str) -> list[Path]:
    """Return what a word names: a folder or file of that very name, or those that it is a glob of.

    Raises:
        UserError: There is none.
    """
    if Path(word).exists():
        return [Path(word)]
    found = sorted(glob.glob(word))
    if not found:
        raise UserError(f"{word}: no such run folder or record file")
    return [Path(each) for each in found]


def _write(path: Path, text: str) -> None:
    """Write a page that appears whole or not at all, and say where."""
    files.write(path, text)
    print(path)


if __name__ == "__main__":
    run_command(main)
