"""The tables that README.md and docs/ hold, and how they are put there."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from math import inf
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mnist_arch import files
from mnist_arch.analysis.cost import Cost
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.analysis.groups import Group
from mnist_arch.analysis.judgements import Change, Judgement, Matrix, Variation
from mnist_arch.analysis.published import RECIPES, published
from mnist_arch.analysis.statistics import interval
from mnist_arch.analysis.verdicts import Word
from mnist_arch.errors import UserError
from mnist_arch.reports.sources import SPLITS
from mnist_arch.reports.table import Column, Table
from mnist_arch.runs.identity import described
from mnist_arch.runs.metrics import METRICS, Metric
from mnist_arch.runs.records import Record

BEGIN, END = "<!-- {}: written by `make pages` -->", "<!-- end of {} -->"
NETWORK = Column("network", "`{}`")
INTERVAL = "{:.2f} to {:.2f}"
CALIBRATION = ("nll", "brier", "ece")


def networks(judgements: Iterable[Judgement], changes: Iterable[Change]) -> Table:
    """A row for each network: its source's headline number, ours, and the modern recipe's."""
    modern = {change.before.architecture: change.after for change in changes}
    rows = []
    for row in judgements:
        name = row.group.architecture
        if row.claim != published().headline(name):
            continue
        metric = METRICS[row.claim.metric]
        split = f", {row.claim.split}" * (row.claim.split != "test")
        after = modern.get(name)
        rows.append(
            (
                *(name, (row.claim.source, "docs/sources.md"), row.group.first.parameters),
                (metric.format(row.claim.value), split),
                (spread_format(metric)(spread(row.values)), len(row.values)),
                *(RECIPES[row.claim.recipe], row.verdict.word),
                spread(after.scores("test", "accuracy")) if after else None,
            )
        )
    columns = [
        NETWORK,
        Column("source", "[{0}]({1}#{0})", ("source", "page")),
        Column("parameters", "{:,}"),
        Column("the source's number", "{}{}", ("claimed", "split")),
        Column(
            "ours",
            lambda value: f"{value[0]} ({value[1]} run{'s' * (value[1] > 1)})",
            ("ours", "runs"),
        ),
        *(Column("recipe"), Column("verdict")),
        Column("modern recipe", spread_format(METRICS["accuracy"]), ("modern", "modern_sd")),
    ]
    return Table(columns, rows)


def claims(judgements: Iterable[Judgement], sources: str) -> Table:
    """A row for each published number that runs answer; ``sources`` leads to docs/sources.md."""
    rows = []
    for row in judgements:
        claim, metric, verdict = row.claim, METRICS[row.claim.metric], row.verdict
        name = f"{SPLITS.get(claim.split, claim.split)} {metric.title}"
        name += f", epoch {claim.epoch}" if claim.epoch and claim.split != "test" else ""
        name += f" ({claim.condition})" if claim.condition else ""
        unit = f" {metric.unit}" if metric.unit else ""
        middle, deviation = spread(row.values)
        rows.append(
            (
                *(row.group.architecture, recipe(row), name, (claim.source, sources)),
                *(f"{claim.value:.{claim.decimals}f}{unit}", verdict.runs, (metric, middle)),
                (metric, deviation) if deviation is not None else None,
                *(
                    (metric, *each) if each else None
                    for each in (verdict.interval, verdict.prediction)
                ),
                *((metric, verdict.margin), said(row), verdict.missing or None),
            )
        )
    columns = [
        NETWORK,
        *map(Column, ("recipe", "claim")),
        Column("source", "[{0}]({1}#{0})", ("source", "page")),
        *map(Column, ("claimed", "runs")),
        *(
            Column(title, _numbers)
            for title in ("mean", "sd", "95 % interval", "one more run", "margin")
        ),
        *map(Column, ("verdict", "runs that would tell")),
    ]
    return Table(columns, rows)


def recipe(row: Judgement) -> str:
    """Say by whose recipe the runs trained, and what else is special."""
    whose = RECIPES[row.claim.recipe] if row.is_own else "own"
    return (
        f"{whose}{row.group.title.removeprefix('own')}"
        if row.group.recipe == row.group.architecture
        else row.group.title
    )


def said(row: Judgement) -> str:
    """Put a verdict into words: with the difference, where a typical run surely has one."""
    verdict, metric = row.verdict, METRICS[row.claim.metric]
    size = f"{abs(verdict.difference):.{metric.decimals}f}"
    way = "higher" if verdict.difference > 0 else "lower"
    if verdict.word is Word.CONTRADICTED:
        return f"{verdict.word}: {size} {way}"
    if verdict.word is Word.PLAUSIBLE and verdict.differs:
        return f"{verdict.word}, typically {size} {way}"
    return str(verdict.word)


def matrices(rows: Iterable[Matrix], sources: str) -> Table:
    """A row for each published confusion matrix that runs answer."""
    columns = [
        *(NETWORK, Column("source", "[{0}]({1}#{0})", ("source", "page")), Column("runs")),
        *(
            Column("its distance from ours", "{:.0f}"),
            Column("of ours from each other", "{:.0f} to {:.0f}"),
        ),
        *(Column("its place, from the farthest", "{} of {}"), Column("verdict")),
    ]
    return Table(
        columns,
        [
            (
                *(row.group.architecture, (row.source, sources), len(row.distances), row.distance),
                (min(row.distances), max(row.distances)),
                *((row.rank, len(row.distances) + 1), str(row.word)),
            )
            for row in rows
        ],
    )


def modern(changes: Iterable[Change]) -> Table:
    """A row for each network: test accuracy by its own recipe and by the modern one, in percent.

    By the own one it is that of as many epochs, where there are such runs; the column says.

    The interval is that of the difference, see `statistics.over_seeds`.
    """
    rows = []
    for change in changes:
        row: list[Any] = [change.before.architecture, change.before.first.parameters]
        for group in (change.before, change.after):
            row += [spread(group.scores("test", "accuracy")), group.first.epochs]
            row.append(len(group.records))
        difference = change.difference
        rows.append(
            [*row, change.points, (difference.low, difference.high) if difference else None]
        )
    percent = spread_format(METRICS["accuracy"])
    columns = [
        NETWORK,
        Column("parameters", "{:,}"),
        Column("its own recipe", percent, ("own", "own_sd")),
        Column("epochs", key="own_epochs"),
        Column("runs", key="own_runs"),
        Column("modern recipe", percent, ("modern", "modern_sd")),
        Column("epochs", key="modern_epochs"),
        Column("runs", key="modern_runs"),
        Column("difference", "{:+.2f}"),
        Column("95 % interval", "{:+.2f} to {:+.2f}", ("low", "high")),
    ]
    return Table(columns, rows)


def variations(rows: Iterable[Variation]) -> Table:
    """A row for each change to a network's own recipe: test accuracy, and what becomes of a claim.

    The interval is that of the difference, see `statistics.over_seeds`.
    """
    percent = spread_format(METRICS["accuracy"])
    columns = [
        *(NETWORK, Column("what is changed"), Column("runs")),
        Column("test accuracy", percent, ("accuracy", "accuracy_sd")),
        Column("as it is", percent, ("own", "own_sd")),
        Column("difference", "{:+.2f}"),
        Column("95 % interval", "{:+.2f} to {:+.2f}", ("low", "high")),
        Column("verdict"),
    ]
    table = []
    for row in rows:
        before, after, difference = row.change.before, row.change.after, row.change.difference
        table.append(
            (
                *(after.architecture, after.title.removeprefix("own, "), len(after.records)),
                *(spread(group.scores("test", "accuracy")) for group in (after, before)),
                row.change.points,
                (difference.low, difference.high) if difference else None,
                said(row.judgement) if row.judgement else None,
            )
        )
    return Table(columns, table)


def results(groups: Sequence[Group], *, leave_out: Collection[str] = ()) -> Table:
    """A row for each group: the scores of the split that judges it, and how long it trained.

    A metric has a column where a group has it, and a value where all runs of the group do.
    ``leave_out`` names metrics that have a table of their own.
    """
    values = {
        name: [group.scores(group.first.judging_split, name) for group in groups]
        for name in METRICS
        if name not in leave_out
    }
    metrics = [METRICS[name] for name, columns in values.items() if any(columns)]
    rows = []
    for place, group in enumerate(groups):
        first, split = group.first, group.first.judging_split
        words = " ".join(f"{key}={value}" for key, value in group.variant.items())
        row: list[Any] = [group.architecture, first.parameters]
        row += [(group.title, group.recipe, first.data, group.precision, words)]
        row += [len(group.records), (first.images[split], SPLITS.get(split, split))]
        for metric in metrics:
            scores = values[metric.name][place]
            row.append(spread(scores) if len(scores) == len(group.records) else None)
        row += [interval(values["accuracy"][place], within=(0, 100)), first.epochs]
        rows.append([*row, _seconds(group.records)])
    columns = [
        NETWORK,
        Column("parameters", "{:,}"),
        Column("recipe", "{0}", ("title", "recipe", "data", "precision", "variant")),
        Column("runs"),
        Column("images", "{:,} {}", ("images", "split")),
        *(
            Column(metric.title, spread_format(metric), (metric.name, f"{metric.name}_sd"))
            for metric in metrics
        ),
        Column("95 % interval of accuracy", INTERVAL, ("accuracy_low", "accuracy_high")),
        Column("epochs"),
        Column("time", "{:.0f} s, {}", ("seconds", "device")),
    ]
    return Table(columns, rows)


def _seconds(records: Sequence[Record]) -> tuple[float, str]:
    """Return how long a run took on the device of most, and its name."""
    device, count = Counter(record.device for record in records).most_common(1)[0]
    seconds = mean(each.seconds["training"] for each in records if each.device == device)
    share = "" if count == len(records) else f" ({count} of {len(records)})"
    return seconds, f"{device}{share}"


def costs(rows: Iterable[Cost]) -> Table:
    """A row for each network and recipe: what an answer costs, what training costs, and errors."""
    columns = [
        *(NETWORK, Column("recipe"), Column("parameters", "{:,}")),
        Column("an answer, MFLOP", "{:,.2f}"),
        Column("training, TFLOP", "{:,.2f}"),
        Column("training, seconds", "{:,.0f}"),
        Column("test errors", "{:.2f} %"),
    ]
    return Table(
        columns,
        [
            (
                *(row.group.architecture, row.group.title, row.group.first.parameters),
                *(row.answering / 1e6, row.training / 1e12, row.seconds, row.errors),
            )
            for row in rows
        ],
    )


def calibration(groups: Iterable[Group]) -> Table:
    """A row for each kind of tested runs: how far their probabilities can be believed.

    Each metric with the 95 % interval of its mean over the runs that have it (not the oldest), cut
    at 0, below which none of them can lie.
    """
    columns = [*(NETWORK, Column("recipe"), Column("runs"))]
    columns += [Column(METRICS[name].title, _with_interval) for name in CALIBRATION]
    rows = []
    for group in groups:
        values = [group.scores("test", name) for name in CALIBRATION]
        if group.first.data == "mnist" and all(values):
            row: list[Any] = [group.architecture, group.title, len(values[0])]
            for name, each in zip(CALIBRATION, values, strict=True):
                row.append((METRICS[name], mean(each), interval(each, within=(0, inf))))
            rows.append(row)
    return Table(columns, rows)


def _with_interval(value: tuple[Metric, float, tuple[float, float] | None]) -> str:
    metric, middle, ends = value
    inside = f" ({_numbers((metric, *ends))})" if ends else ""
    return f"{middle:.{metric.decimals}f}{inside}"


def parts(groups: Iterable[Group]) -> Table:
    """A row for each way in which some runs served to choose: errors by pass, in percent.

    Validation errors after 3, 10 and 20 passes, and the training errors counted in the 19th, of
    which the paper of 1998 prints 0.35 %.
    """
    rows = []
    for group in groups:
        if group.recipe != group.architecture or group.tested:
            continue
        variant = {key: v for key, v in group.variant.items() if key != "recipe.validation"}
        row: list[Any] = [", ".join(described(variant)) or "as it is", len(group.records)]
        for split, epoch in (
            ("validation", 3),
            ("validation", 10),
            ("validation", 20),
            ("train", 19),
        ):
            curves = [each.history.get(f"{split}/accuracy", []) for each in group.records]
            errors = [100 - curve[epoch - 1] for curve in curves if len(curve) >= epoch]
            row.append(spread(errors) if len(errors) == len(curves) else None)
        rows.append(row)
    percent = spread_format(METRICS["accuracy"])
    columns = [
        *(Column("what is changed"), Column("runs")),
        *(Column(f"after {passes} passes", percent) for passes in (3, 10, 20)),
        Column("training, pass 19", percent),
    ]
    return Table(columns, rows)


def sizes(groups: Iterable[Group]) -> Table:
    """A row for each number of images a pass: test errors and those counted in the last pass.

    In percent, of tested runs by the network's own recipe that are as it is but for that number.
    """
    key, rows = "data.size", []
    for group in groups:
        if group.recipe == group.architecture and group.tested and group.variant.keys() <= {key}:
            images = group.variant.get(key, group.first.images["train"])
            test = [100 - each for each in group.scores("test", "accuracy")]
            train = [100 - each.history["train/accuracy"][-1] for each in group.records]
            rows.append((images, len(group.records), spread(test), spread(train)))
    percent = spread_format(METRICS["accuracy"])
    columns = [
        *(Column("images a pass", "{:,}"), Column("runs")),
        *(Column("test errors", percent), Column("training errors, last pass", percent)),
    ]
    return Table(columns, sorted(rows))


def ensembles(records: Iterable[Ensemble]) -> Table:
    """A row for each: errors of averaged probabilities beside those of the members."""
    rows: list[Sequence[Any]] = []
    for ensemble in records:
        errors = sorted(each["errors"] for each in ensemble.members)
        images, together = ensemble.images, ensemble.errors
        accuracy = 100 * (images - together) / images
        row = (together, images, accuracy), together - errors[0]
        rows.append((members(ensemble), tuple(errors), errors[0], *row))
    columns = [
        Column("members"),
        Column("their errors", lambda errors: ", ".join(map(str, errors))),
        Column("the best of them"),
        Column("together", "{} of {:,}: {:.2f} %", ("errors", "images", "accuracy")),
        Column("difference", "{:+d}"),
    ]
    return Table(columns, rows)


def candidates(records: Iterable[Ensemble]) -> Table:
    """A row for each ensemble that was made to choose by, the best first: errors, then loss."""
    rows = [
        (members(each), mean(one["errors"] for one in each.members), each.errors, each.loss)
        for each in sorted(records, key=lambda each: (each.errors, each.loss))
    ]
    columns = [
        *(Column("members"), Column("errors of one", "{:.1f}"), Column("together")),
        Column("loss", METRICS["loss"].format),
    ]
    return Table(columns, rows)


def members(ensemble: Ensemble) -> str:
    """Name the networks of an ensemble, and how many there are of each by the same recipe."""
    counts = Counter(
        ", ".join(
            [
                f"`{each['architecture']}`",
                *([each["recipe"]] if each["recipe"] != each["architecture"] else []),
                *described({k: v for k, v in each["variant"].items() if k != "recipe.validation"}),
            ]
        )
        for each in ensemble.members
    )
    return " and ".join(f"{count} {name}" for name, count in counts.items())


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean, and the standard deviation where there are several values."""
    return mean(values), stdev(values) if len(values) > 1 else None


def spread_format(metric: Metric) -> Callable[[tuple[float, float | None]], str]:
    """Return what writes a `spread` of a metric, with its unit; a mean has a decimal at least."""

    def write(value: tuple[float, float | None]) -> str:
        middle, deviation = value
        if deviation is None:
            return metric.format(middle)
        decimals = max(metric.decimals, 1)
        return f"{middle:,.{decimals}f} ± {deviation:.{decimals}f} {metric.unit}"

    return write


def _numbers(value: tuple[Any, ...]) -> str:
    """Write numbers with the decimals of the metric that they follow."""
    metric, *numbers = value
    return " to ".join(f"{number:.{metric.decimals}f}" for number in numbers)


def with_table(page: str, name: str, table: str) -> str:
    """Return a page whose text between the markers of that name is the table.

    Raises:
        UserError: The page lacks the markers.
    """
    first, last = BEGIN.format(name), END.format(name)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise UserError(f"the page has no lines {first!r} and {last!r} to write between")
    return f"{before}{first}\n{table}\n{last}{after}"


def write_tables(path: Path, tables: dict[str, str]) -> None:
    """Write those tables for which a page has markers into it, atomically.

    Raises:
        UserError: There is no such page, or it has no markers.
    """
    try:
        page = path.read_text()
    except OSError as error:
        raise UserError(f"{path}: no readable page ({error})") from error
    names = [name for name in tables if BEGIN.format(name) in page]
    if not names:
        raise UserError(f"{path}: no markers there, such as {BEGIN.format('results')!r}")
    for name in names:
        page = with_table(page, name, tables[name])
    files.write(path, page)
