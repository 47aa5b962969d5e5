"""The page docs/sources.md: every source with what it prints and what it leaves open."""

from itertools import groupby
from pathlib import Path

from mnist_arch import files
from mnist_arch.analysis.published import RECIPES, Number, Published, Trial, published
from mnist_arch.reports.templates import render

SPLITS = {"train": "training", None: ""}  # where the word differs


def page(claims: Published | None = None) -> str:
    """Return the page as Markdown, by default of the claims that come with the package.

    Each source has a heading that is its key, so that ``sources.md#key`` leads to it.

    Raises:
        UserError: The file of claims is wrong.
    """
    sources = list((claims or published()).sources.values())
    trials = [trial for source in sources for trial in source.trials]
    return render(
        "sources.md.j2",
        sources=sources,
        rows=rows,
        recipes=RECIPES,
        numbers=sum(len(trial.numbers) for trial in trials),
        statements=sum(len(trial.statements) for trial in trials),
        confusions=sum(trial.confusion is not None for trial in trials),
        unknown=[f"[{source.key}](#{source.key})" for source in sources if not source.address],
    )


def write(path: Path) -> None:
    """Write the page, atomically."""
    files.write(path, page())


def rows(trial: Trial) -> list[tuple[str, str, str, str, str]]:
    """Return a row for each figure of a trial, whose epochs share it.

    Its cells: name, images, epochs, as printed, and in our unit where that is something else.
    """
    kinds = groupby(trial.numbers, key=lambda number: (number.split, number.metric))
    return [_row(trial, list(numbers)) for _, numbers in kinds]


def _row(trial: Trial, numbers: list[Number]) -> tuple[str, str, str, str, str]:
    first = numbers[0]
    name = f"{SPLITS.get(first.split, first.split)} {first.metric}".strip()
    images = trial.images.get(first.split or "")
    epochs = ", ".join(str(number.epoch or "") for number in numbers)
    printed = ", ".join(number.printed for number in numbers)
    values = ", ".join(f"{number.value:,.{number.decimals}f}" for number in numbers)
    values += " %" if first.metric == "accuracy" else ""
    return name, f"{images:,}" if images else "", epochs, printed, values * (values != printed)
