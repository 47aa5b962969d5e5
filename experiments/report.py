"""Which claims hold so far? Tables made from records.

    python -m experiments.report              (the committed records, results/)
    python -m experiments.report runs         (your own runs)
    python -m experiments.report --write README.md docs/results.md

--write puts the tables between the markers of pages instead of printing them.
"""

import argparse
from pathlib import Path

from experiments.command import run_command
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.errors import UserError
from mnist_arch.reports import card, results
from mnist_arch.runs.records import read_all, read_as


def tables(folder: Path) -> dict[str, str]:
    """Make every table from a folder of records, by the name of its place in a page.

    Raises:
        UserError: There are no records, or one is not readable.
    """
    records = read_all(folder)
    if not records:
        raise UserError(f"{folder}: no records there; make one with experiments.run")
    made = {
        "claims": results.claims(records),
        "tried": results.tried(records),
        "modern": results.modern(records),
        "choices": results.choices(read_all(folder / "search")),
        "ensembles": results.ensembles(
            read_as(Ensemble, path) for path in sorted(folder.glob("ensembles/*.json"))
        ),
        "results": results.results(records),
        "exports": card.table(
            file for path in sorted(folder.glob("exports/*.json")) for file in card.read(path)
        ),
    }
    return {name: results.markdown(table) for name, table in made.items()}


def main() -> None:
    """Read, make the tables, print or write them."""
    parser = argparse.ArgumentParser(prog="experiments.report", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results"), help="of records")
    parser.add_argument(
        "--write", type=Path, nargs="+", metavar="PAGE", default=[], help="pages with markers"
    )
    asked = parser.parse_args()
    made = tables(asked.folder)
    for page in asked.write:
        results.write_tables(page, made)
    if not asked.write:
        print("\n\n".join(f"{name}:\n\n{table}" for name, table in made.items()))


if __name__ == "__main__":
    run_command(main)
