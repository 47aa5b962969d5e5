"""Which claims hold so far? A table made from records.

    python -m experiments.report              (the committed records, results/)
    python -m experiments.report runs         (your own runs)
    python -m experiments.report --write README.md

--write puts the table between the page's two markers instead of printing it.
"""

import argparse
from pathlib import Path

from experiments.command import run_command
from mnist_arch.errors import UserError
from mnist_arch.evaluation.records import read_all
from mnist_arch.evaluation.report import results_table, write_table


def main() -> None:
    """Read, make the table, print or write it."""
    parser = argparse.ArgumentParser(prog="experiments.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results"), help="of records")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page with the two markers")
    asked = parser.parse_args()
    records = read_all(asked.folder)
    if not records:
        raise UserError(f"{asked.folder}: no records there; make one with experiments.run")
    table = results_table(records)
    if asked.write:
        write_table(asked.write, table)
    else:
        print(table)


if __name__ == "__main__":
    run_command(main)
