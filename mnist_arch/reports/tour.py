"""The tour for students and teachers: docs/learn.md, the same as a notebook, and its pictures."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from matplotlib.figure import Figure

from mnist_arch.analysis import ensembles, robustness
from mnist_arch.analysis.groups import Group, groups, usual
from mnist_arch.analysis.published import published
from mnist_arch.data.augment import RandomAffine
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models import blank
from mnist_arch.models.dense import Dense
from mnist_arch.models.lenet5 import LeNet5
from mnist_arch.models.lenet5_1998 import LeNet5Original
from mnist_arch.models.network import Network
from mnist_arch.randomness import generator
from mnist_arch.reports import results
from mnist_arch.reports.figures.digits import digit_rows
from mnist_arch.reports.figures.explained import codes, convolution, evidence, votes
from mnist_arch.reports.figures.network import filters, misclassified
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs import checkpoint, records, shipped
from mnist_arch.runs.scoring import score

# Each network's own station, and what it adds.
STATIONS = {
    "dense": ("1-one-layer", "one layer: a weight for each pixel"),
    "mlp": ("2-a-hidden-layer", "a hidden layer of 100 units"),
    "lenet5": ("3-windows-that-slide", "small windows that slide over the picture"),
    "lenet5_1998": (
        "4-lenet-5-of-1998",
        "the original: it answers by the nearest of ten drawings",
    ),
    "dropout_cnn": ("5-wider-with-a-handicap", "more and wider layers, units that fall silent"),
    "augmented_cnn": ("6-digits-that-move", "digits that are moved while it learns"),
}
SMALL = ("dense", "mlp", "tanh_cnn", "lenet5_1998", "lenet5")  # whose weights are in the package
EXAMPLE, VOTERS = 2597, ("mlp", "lenet5_1998", "lenet5")  # a test digit on which they disagree
PIXELS = 3.0  # by which digits are shifted in the table of station 6
FENCE = re.compile(r"^```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def page(folder: Path) -> str:
    """Write the page from the records in a folder and those of the weights in the package.

    Raises:
        UserError: A record is not readable, or there are none of a station.
    """
    runs = {
        group.architecture: group
        for group in usual(groups(records.read_all(folder)))
        if group.is_own and group.tested
    }
    together, _ = ensembles.read_all(folder / "ensembles")
    if missing := [name for name in STATIONS if name not in runs]:
        raise UserError(f"{folder}: no runs of {', '.join(missing)} by its own recipe there")
    if not together:
        raise UserError(f"{folder}: no record of an ensemble; make one with experiments.ensemble")
    best = min(together, key=lambda each: each.errors)
    paper = published().headline("lenet5_1998")
    assert paper is not None
    return render(
        "tour.md.j2",
        stations=_stations(runs, best),
        errors={name: group.scores("test", "errors") for name, group in runs.items()},
        parameters={name: group.first.parameters for name, group in runs.items()},
        first=runs["dense"].first,
        shipped={each.name: each.record.scores["test"]["errors"] for each in shipped.shipped()},
        together=results.ensembles(together),
        best=best,
        moved=_moved(folder),
        small=SMALL,
        paper=round(100 * (100 - paper.value)),
        mean=mean,
    )


def notebook(text: str) -> str:
    """Turn a page of Markdown into a Jupyter notebook (nbformat 4.5) without outputs.

    Each block of Python is a cell, and so is what stands between two of them. The first cell asks
    for pictures below the code that makes them.
    """
    parts = FENCE.split(text)  # text and code in turn
    cells = [_cell("code", "%matplotlib inline")]
    for number, part in enumerate(parts):
        if source := part.strip():
            cells.append(_cell("code" if number % 2 else "markdown", source))
    cells[:2] = reversed(cells[:2])  # the title comes first
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    language = {"name": "python"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def pictures(test: Split) -> dict[str, Figure]:
    """Draw what the page shows of the weights in the package; keys are names of files."""
    images = test.images
    dense, mlp, lenet5, original = map(_trained, ("dense", "mlp", "lenet5", "lenet5_1998"))
    drawing = _trained("lenet5_1998-modern")  # by its recipe with a smaller j
    assert isinstance(dense, Dense)
    assert isinstance(lenet5, LeNet5)
    assert isinstance(original, LeNet5Original)
    assert isinstance(drawing, LeNet5Original)
    moved = RandomAffine(rotation=10, zoom=0.1, shift=0.1)
    ten = images[:1].expand(10, -1, -1, -1)
    rows = {"as it is": ten, "as it is seen": moved(ten, generator(0, "augmentation"))}
    scored = {name: score(_trained(name), test) for name in SMALL}
    probabilities = {name: each.log_probabilities.exp() for name, each in scored.items()}
    together = torch.stack([*probabilities.values()]).mean(0)
    hard = torch.stack([each.misclassified for each in scored.values()]).all(0)
    example = images[EXAMPLE, None]
    first = {"0 to 9": images[:10], "10 to 19": images[10:20]}
    return {
        "digits": digit_rows(first, "The first test digits"),
        "dense": evidence(dense, images[:1]),
        "mlp": filters(mlp, "MLP"),
        "c1": convolution(lenet5, images[:1]),
        "codes": codes(original, images[:10]),
        "drawn": codes(drawing, images[:10]),
        "moved": digit_rows(rows, "One digit, ten times"),
        "votes": votes(example, {name: probabilities[name][EXAMPLE] for name in VOTERS}),
        "hard": misclassified(
            images[hard],
            test.labels[hard],
            together[hard],
            f"Misclassified by each of {len(SMALL)} networks",
        ),
    }


def _trained(name: str) -> Network:
    return checkpoint.load(shipped.located(name))


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _stations(runs: Mapping[str, Group], best: ensembles.Ensemble) -> Table:
    """A row for each station with a network: what it adds, its size, and its errors."""
    rows: list[Sequence[Any]] = []
    for number, (name, (place, news)) in enumerate(STATIONS.items(), start=1):
        errors = runs[name].scores("test", "errors")
        size = runs[name].first.parameters
        rows.append(
            ((number, place), f"`{name}`", news, size, results.spread(errors), len(errors))
        )
    size = sum(blank(member["architecture"]).parameter_count for member in best.members)
    last = (len(rows) + 1, "7-several-heads"), results.members(best), "several networks, averaged"
    rows.append((*last, size, (best.errors, None), 1))
    columns = [
        Column("station", "[{}](#{})", ("station", "place")),
        *(Column("network"), Column("what is new"), Column("learnt numbers", "{:,}")),
        Column("wrong of 10,000", _errors, ("errors", "errors_sd")),
        Column("runs"),
    ]
    return Table(columns, rows)


def _errors(value: tuple[float, float | None]) -> str:
    middle, deviation = value
    return f"{middle:,}" if deviation is None else f"{middle:,.1f} ± {deviation:.1f}"


def _moved(folder: Path) -> Table:
    """A row for each network trained with moved digits and without: errors, digits shifted too."""
    tested = robustness.averaged(robustness.read_all(folder / "robustness"))
    rows = []
    for without, augmented in robustness.pairs(tested):
        four = [
            100 * (100 - net.accuracies["shift"][pixels])
            for pixels in (0.0, PIXELS)
            for net in (without, augmented)
        ]
        rows.append((f"`{without.architecture}`", *four))
    columns = [
        Column("network"),
        *(
            Column(f"{digits}{training}", "{:,.0f}")
            for digits in ("as they are", f"shifted by {PIXELS:g} pixels")
            for training in ("", ", trained on moved ones")
        ),
    ]
    return Table(columns, rows)
