"""The page docs/claims.md: what sources say in words, judged by our records."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from mnist_arch.analysis import claims, folds, robustness
from mnist_arch.analysis.claims import Augmentation, Extremes, Reorientation
from mnist_arch.analysis.folds import Folds
from mnist_arch.analysis.groups import Group, groups
from mnist_arch.analysis.published import published
from mnist_arch.analysis.statistics import interval
from mnist_arch.reports.results import spread, spread_format
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs import records
from mnist_arch.runs.metrics import METRICS

PERCENT = "{:.2f} %"
UNMEASURED = "Not measured yet"


def page(folder: Path) -> str:
    """Write the page from the records in a folder, and in its folder robustness.

    Raises:
        UserError: A record is not readable.
    """
    tested = [group for group in groups(records.read_all(folder)) if group.tested]
    nets = robustness.averaged(robustness.read_all(folder / "robustness"))
    by_digit = claims.by_digit(tested)
    overfitting = claims.overfitting(tested)
    reorientation, augmentation = claims.reorientation(nets), claims.augmentation(nets)
    most_9 = claims.extremes(tested, "dropout_cnn", (9,), most=True)
    fewest_0_1 = claims.extremes(tested, "dropout_cnn", (0, 1), most=False)
    most_9_6 = claims.extremes(tested, "regularized_cnn", (9, 6), most=True)
    divided = folds.whole(records.read_all(folder / "folds"))
    judged = [each.verdict if each else UNMEASURED for each in (overfitting, reorientation)]
    judged += [_of_digits(each, divided) for each in (most_9, fewest_0_1, most_9_6)]
    return render(
        "claims.md.j2",
        verdicts=Counter(judged),
        statements=_statements(),
        overfitting=overfitting,
        reorientation=reorientation,
        most_9=most_9,
        fewest_0_1=fewest_0_1,
        most_9_6=most_9_6,
        folds=divided,
        by_fold=_by_fold(divided),
        augmentation=augmentation,
        nets=_nets(reorientation) if reorientation else None,
        effects=_effects(augmentation) if augmentation else None,
        gains=_gains(augmentation) if augmentation else None,
        by_digit=_by_digit(by_digit),
        rows=len(by_digit),
        most_errors_on_9=sum(claims.are_extreme(row, (9,), most=True) for row in by_digit),
        most_errors_on_9_6=sum(claims.are_extreme(row, (9, 6), most=True) for row in by_digit),
        fewest_on_0_1=sum(claims.are_extreme(row, (0, 1), most=False) for row in by_digit),
        claims=claims,
        mean=mean,
        interval=interval,
    )


def _of_digits(result: Extremes | None, divided: Sequence[Folds]) -> str:
    """Judge which digits are hard by all 70,000 images, where there are folds of the network."""
    if result is None:
        return UNMEASURED
    own = [each for each in divided if each.name == result.group.architecture]
    return own[0].verdict(result.digits, most=result.most) if own else result.verdict


def _statements() -> dict[str, str]:
    """Return what sources say in words by its name, with a link to the source."""
    return {
        name: f"*{text}* ([{source.key}](sources.md#{source.key}))"
        for source in published().sources.values()
        for trial in source.trials
        for name, text in trial.statements.items()
    }


def _nets(result: Reorientation) -> Table:
    """A row for each way in which a network was trained: accuracy on changed images."""
    rows = [
        (
            *(net.title, "CNN" if net.is_convolutional else "dense"),
            *("yes" if net.augmentation else "no", net.runs),
            *(claims.correct(net, kind) for kind in claims.CHANGED),
        )
        for net in result.nets
    ]
    columns = [*map(Column, ("network", "kind", "augmentation", "runs"))]
    return Table([*columns, *(Column(kind, PERCENT) for kind in claims.CHANGED)], rows)


def _effects(result: Augmentation) -> Table:
    """A row for each kind of images: what augmentation changes."""
    rows = [
        (
            *(each.title, mean(each.without), mean(each.augmented), mean(each.changes)),
            *((min(each.changes), max(each.changes)), (each.gaining, len(each.changes))),
        )
        for each in result.effects
    ]
    columns = [
        Column("images"),
        *(Column(title, PERCENT) for title in ("without", "with")),
        Column("difference", "{:+.2f}"),
        Column("least to greatest", "{:+.2f} to {:+.2f}"),
        Column("networks that gain", "{} of {}"),
    ]
    return Table(columns, rows)


def _gains(result: Augmentation) -> Table:
    """A row for each network: all corruptions together, with the interval over its runs."""
    rows = []
    each = zip(result.titles, result.pairs, result.differences, strict=True)
    for title, (old, new), difference in each:
        rows.append(
            (
                *(title, spread(old.corrupted), old.runs, spread(new.corrupted), new.runs),
                mean(new.corrupted) - mean(old.corrupted),
                (difference.low, difference.high) if difference else None,
            )
        )
    percent = spread_format(METRICS["accuracy"])
    columns = [
        *(Column("network"), Column("without", percent), Column("runs")),
        *(Column("with", percent), Column("runs"), Column("difference", "{:+.2f}")),
        Column("95 % interval", "{:+.2f} to {:+.2f}"),
    ]
    return Table(columns, rows)


def _by_fold(networks: Sequence[Folds]) -> Table:
    """A row for each digit of each network: percent misclassified of all 70,000 images."""
    columns = [
        *(Column("network", "`{}`"), Column("digit"), Column("images", "{:,}")),
        *(Column("misclassified", "{:,}"), Column("percent", "{:.2f} %")),
        Column("95 % interval", "{:.2f} to {:.2f}"),
    ]
    rows = []
    for each in networks:
        for digit in range(10):
            share, low, high = (100 * value for value in each.share(digit))
            counts = (each.images[digit], each.errors[digit])
            rows.append((each.name, str(digit), *counts, share, (low, high)))
    return Table(columns, rows)


def _by_digit(rows: Iterable[Group]) -> Table:
    """A row for each network by its own recipe: percent misclassified of each digit."""

    def cell(value: tuple[float, float]) -> str:
        rate, greatest = value
        return f"**{rate:.2f}**" if rate == greatest else f"{rate:.2f}"

    def row(group: Group) -> list[Any]:
        rates = claims.mean_rates(group)
        title = (group.architecture, f", {group.precision}" * (group.precision != "32-true"))
        return [title, len(group.records), *((rate, max(rates)) for rate in rates)]

    digits = [Column(str(digit), cell) for digit in range(10)]
    title = Column("network", "`{}`{}")
    return Table([title, Column("runs"), *digits], [row(group) for group in rows])
