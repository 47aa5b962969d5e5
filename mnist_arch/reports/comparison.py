"""A comparison for the screen, as Markdown, and as one page of HTML that needs nothing else."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.image import imsave
from torch import Tensor

from mnist_arch.analysis.comparison import Comparison
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.reports.figures import comparison as figures
from mnist_arch.reports.figures.inline import inline_svg
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import paragraphs, render
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import Record

LISTED = 12  # test images named for each network of a pair
DRAWN = 8  # networks in the figure of errors by digit
INTERVAL = "{:.2f} to {:.2f}"


def networks(comparison: Comparison) -> Table:
    """A row for each network: accuracy in percent, and what its interval covers."""
    columns = (
        *(Column("", key="letter"), Column("network"), Column("seeds", ranges)),
        *(Column("accuracy", "{:.2f}"), Column("sd", "{:.2f}")),
        Column("95 % interval", INTERVAL, key=("low", "high")),
        *(Column("over"), Column("ECE", "{:.4f}")),
    )
    rows = [
        (
            *(net.letter, net.name, net.seeds, mean(net.accuracies)),
            *(stdev(net.accuracies) if net.runs[1:] else None, net.interval),
            *("seeds" if net.runs[1:] else "images", net.calibration_error),
        )
        for net in comparison.nets
    ]
    return Table(columns, rows)


def pairs(comparison: Comparison) -> Table:
    """A row for each pair: the difference of accuracies in percentage points, and its verdict."""
    several = len(comparison.pairs) > 1
    columns = (
        *(Column("pair"), Column("points", "{:+.2f}")),
        *(Column("95 % interval", INTERVAL, key=("low", "high")), Column("p", probability)),
        *((Column("Holm", probability),) if several else ()),  # there is something to correct for
        *(Column("test"), Column("over")),
        *(Column("alone", "{} / {}", key=("only_first", "only_second")), Column("verdict")),
    )
    rows = []
    for pair in comparison.pairs:
        change = pair.difference
        points = (change.value, (change.low, change.high), change.p) if change else (None,) * 3
        row = (
            *(pair.name, *points, *((pair.adjusted,) if several else ())),
            *(f"{pair.method}, {len(pair.seeds)}" if pair.seeds else pair.method,),
            *(pair.method.covers, tuple(map(len, pair.alone)) or None),
            f"{pair.better.letter} better" if pair.better else pair.verdict,
        )
        rows.append(row)
    return Table(columns, rows)


def by_digit(comparison: Comparison) -> Table:
    """Misclassified test images of each digit, means over runs."""
    titles = (*map(str, range(10)), "all")
    columns = (Column("errors at"), *(Column(title, _count) for title in titles))
    rows = [
        (net.letter, *net.errors_by_label, sum(net.errors_by_label)) for net in comparison.nets
    ]
    return Table(columns, rows)


def runs(comparison: Comparison) -> Table:
    """A row for each run: every metric of the test images, and the accuracy's Wilson interval."""
    every = [(net, run) for net in comparison.nets for run in net.runs]
    metrics = [
        metric
        for name, metric in METRICS.items()
        if any(name in run.record.scores["test"] for _, run in every)
    ]
    columns = (
        *(Column("network"), Column("seed")),
        *(Column(metric.title, metric.format, key=metric.name) for metric in metrics),
        Column("95 % interval", INTERVAL, key=("low", "high")),
    )
    rows = [
        (
            *(net.letter, run.record.seed),
            *(run.record.score("test", metric.name) for metric in metrics),
            run.interval,
        )
        for net, run in every
    ]
    return Table(columns, rows)


def prose(comparison: Comparison, name: str, *values: object) -> list[str]:
    """Return paragraphs: the ``title``, ``summary``, ``notes``, or ``alone`` for a pair."""
    return paragraphs("comparison.prose.j2", name, comparison, *values)


def text(comparison: Comparison) -> str:
    """Lay a comparison out for a screen of 100 columns."""
    return render("comparison.txt.j2", **_values(comparison))


def markdown(comparison: Comparison) -> str:
    """Lay a comparison out as Markdown."""
    return render("comparison.md.j2", **_values(comparison))


def html(comparison: Comparison, images: Tensor | None, reason: str = "") -> str:
    """Lay a comparison out as a page.

    Args:
        comparison: What to lay out.
        images: (N, 1, 28, 28) of the test split; None leaves pictures out.
        reason: Why there are none.
    """
    return render(
        "comparison.html.j2",
        **_values(comparison),
        figures={name: Markup(inline_svg(fig)) for name, fig in _figures(comparison).items()},
        fewest=figures.FEWEST,
        listed=LISTED,
        drawn=DRAWN,
        png=None if images is None else lambda place: _png(images[place, 0]),
        reason=reason,
    )


def images_of(record: Record) -> tuple[Tensor | None, str]:
    """Return the (N, 1, 28, 28) test images of a run, or None and why.

    They are looked for on this machine only.
    """
    root = record.config.get("data.root")
    try:
        data = sources.load(record.data, Path(root or sources.default_root()), fetch=False)
    except UserError as error:
        return None, str(error)
    if data.sha256 != record.provenance.data_sha256:
        return None, f"{record.data} on this machine is not what the runs were tested on"
    return data.test.images, ""


def ranges(seeds: Sequence[int]) -> str:
    """Write ascending seeds, consecutive ones by their ends: 0-3, 7."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def probability(p: float) -> str:
    """Write a p value, of which four places are enough."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def _count(value: float) -> str:
    """Write a mean of counts."""
    return f"{value:,.1f}".removesuffix(".0")


def _values(comparison: Comparison) -> dict[str, object]:
    """Gather what all three layouts show."""
    return {
        "comparison": comparison,
        "title": prose(comparison, "title")[0],
        "summary": prose(comparison, "summary")[0],
        "notes": prose(comparison, "notes"),
        "alone": {
            pair.name: prose(comparison, "alone", pair, LISTED) for pair in comparison.pairs
        },
        "networks": networks(comparison),
        "pairs": pairs(comparison),
        "by_digit": by_digit(comparison),
        "runs": runs(comparison),
    }


def _figures(comparison: Comparison) -> dict[str, Figure]:
    nets = comparison.nets
    drawn = {
        "accuracies": figures.accuracies(
            {net.letter: [(run.accuracy, *run.interval) for run in net.runs] for net in nets},
            {net.letter: (mean(net.accuracies), *net.interval) for net in nets if net.runs[1:]},
        ),
        "errors": figures.errors_by_digit(
            {net.letter: net.errors_by_label for net in nets[:DRAWN]}
        ),
    }
    if bins := {net.letter: net.bins for net in nets if net.with_predictions}:
        drawn["reliability"] = figures.reliability_curves(bins)
    return drawn


def _png(image: Tensor) -> str:
    """Encode (28, 28) pixel values, ink black, for a link that holds its own data."""
    file = BytesIO()
    grey = 255 - np.repeat(image.numpy()[:, :, None], 3, axis=2)
    imsave(file, grey, format="png", metadata={"Software": ""})
    return b64encode(file.getvalue()).decode()
