"""Which claims hold so far? Tables made from records.

    python -m experiments.report              (the committed records, results/)
    python -m experiments.report runs         (your own runs)
    python -m experiments.report --write README.md docs/results.md
    python -m experiments.report --sources docs/sources.md
    python -m experiments.report --figure seeds docs/seeds.png
    python -m experiments.report --figure cost docs/cost.png

--write puts the tables between the markers of pages instead of printing them, --sources writes the
page that says where the claims are published. The figure "seeds" draws every run beside its claim,
"cost" accuracy against the arithmetic of training.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.command import Parser, run_command
from mnist_arch.errors import UserError, suggestion
from mnist_arch.files import target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mnist_arch.reports.table import Table


APART = "lenet5_1998"  # network and recipe have a page of their own
FIGURES = ("seeds", "cost")


def tables(folder: Path) -> "dict[str, Table]":
    """Make every table from a folder of records, by the name of its place in a page.

    Raises:
        UserError: There are no records, or one is not readable.
    """
    from mnist_arch.analysis import cost, ensembles, judgements  # seconds of imports
    from mnist_arch.analysis.groups import groups, usual
    from mnist_arch.reports import card, results
    from mnist_arch.runs.records import read_all

    runs = groups(read_all(folder))
    if not runs:
        raise UserError(f"{folder}: no records there; make one with experiments.run")
    together, candidates = ensembles.read_all(folder / "ensembles")
    exported = [each for path in sorted(folder.glob("exports/*.json")) for each in card.read(path)]
    searches = groups(read_all(folder / "search"))
    judging = usual(runs)
    own, modern = judgements.claims(judging), judgements.modern(runs)
    costs = cost.costs(judging, _paces(folder))
    return {
        "networks": results.networks(own, modern),
        "claims": results.claims(own, "sources.md"),
        "claims_1998": results.claims(
            [row for row in own if row.group.architecture == APART], "sources.md"
        ),
        "curves": results.claims(judgements.curves(judging), "sources.md"),
        "matrices": results.matrices(judgements.matrices(judging), "sources.md"),
        "tried": results.claims(judgements.tried(runs), "sources.md"),
        "variations": results.variations(judgements.variations(runs)),
        "modern": results.modern(modern),
        "choices": results.results(
            [each for each in searches if each.recipe != APART], leave_out=results.CALIBRATION
        ),
        "parts": results.parts(each for each in searches if each.recipe == APART),
        "sizes": results.sizes(each for each in runs if each.architecture == APART),
        "cost": results.costs(costs),
        "calibration": results.calibration(each for each in runs if each.tested),
        "ensembles": results.ensembles(together),
        "candidates": results.candidates(candidates),
        "results": results.results(runs, leave_out=results.CALIBRATION),
        "exports": card.table(exported),
    }


def _paces(folder: Path) -> dict[tuple[str, str], float]:
    """Read the images/s of training by network and recipe, where a benchmark measured them."""
    from statistics import median

    from mnist_arch.analysis.speed import Speed
    from mnist_arch.runs.records import read_as

    paces = {}
    for path in sorted(folder.glob("speed/*.json")):
        speed = read_as(Speed, path)
        for row in speed.recipes:
            if not row["rates"] or min(row["rates"]) <= 0:
                raise UserError(f"{path}: not a readable record (rates of {row['network']})")
            paces[row["network"], row["recipe"]] = median(row["rates"])
    return paces


def figure(name: str, folder: Path) -> "Figure":
    """Draw one of `FIGURES`.

    Raises:
        UserError: There are no records, or one is not readable.
    """
    from mnist_arch.analysis import cost, judgements
    from mnist_arch.analysis.groups import groups, usual
    from mnist_arch.analysis.published import published
    from mnist_arch.reports.figures.cost import errors_against_training
    from mnist_arch.reports.figures.seeds import beside_claims
    from mnist_arch.runs.records import read_all

    runs = usual(groups(read_all(folder)))
    rows = [
        row
        for row in judgements.claims(runs)
        if row.claim == published().headline(row.group.architecture)
    ]
    if not rows:
        raise UserError(f"{folder}: no records that answer a claim")
    if name == "seeds":
        return beside_claims(rows, "Every run beside its source's accuracy")
    return errors_against_training(
        cost.costs(runs, {}), "What accuracy costs (dots: own recipes, diamonds: the modern one)"
    )


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results"), help="of records")
    parser.add_argument(
        "--write", type=Path, nargs="+", metavar="PAGE", default=[], help="pages with markers"
    )
    parser.add_argument("--sources", type=target, metavar="PAGE", help="written, and nothing else")
    parser.add_argument(
        "--figure", nargs=2, metavar=("NAME", "PNG"), help=f"{' or '.join(FIGURES)}; nothing else"
    )
    args = parser.parse_args()
    from mnist_arch.reports import results, sources
    from mnist_arch.reports.figures.style import write_png

    if args.sources:
        sources.write(args.sources)
        return
    if args.figure:
        name, path = args.figure
        if name not in FIGURES:
            raise UserError(f"--figure {name}: {suggestion(name, FIGURES)}")
        write_png(figure(name, args.folder), target(path))
        return
    markdown = {name: table.markdown() for name, table in tables(args.folder).items()}
    for page in args.write:
        results.write_tables(page, markdown)
    if not args.write:
        print("\n\n".join(f"{name}:\n\n{table}" for name, table in markdown.items()))


if __name__ == "__main__":
    run_command(main)
