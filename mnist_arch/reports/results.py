"""Words and tables made from records."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from mnist_arch import files
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.analysis.statistics import interval, over_seeds, verdict
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.records import DISTORTIONS_ALONE, Record

BEGIN, END = "<!-- {}: written by `make pages` -->", "<!-- end of {} -->"
CLAIMS = (
    "network",
    "recipe",
    "claim",
    "claimed",
    "runs",
    "mean",
    "sd",
    "95 % interval",
    "range",
    "verdict",
)
MODERN = (
    *("network", "parameters", "its own recipe", "runs", "modern recipe", "runs", "difference"),
    "95 % interval",
)
CHOICES = ("network", "recipe", "epochs", "runs", "held-out errors", "held-out loss")
ENSEMBLES = ("members", "their test errors", "the best of them", "together", "difference")
RESULTS = (
    "network",
    "parameters",
    "recipe",
    "runs",
    "digits",
    "accuracy",
    "sd",
    "95 % interval",
    "errors",
    "epochs",
    "time",
)
# Likewise, for programs: accuracies in percent, times of a run's training in seconds.
COLUMNS = (
    *("network", "parameters", "recipe", "data", "precision", "variant", "epochs", "device"),
    *("runs", "split", "images", "accuracy", "sd", "low", "high", "errors", "seconds"),
)

Table = tuple[Sequence[str], list[Sequence[str]]]  # its header, its rows


def summary(record: Record) -> str:
    """Say a run's result in one line."""
    split = _judging_split(record)
    figures, images = record.figures(split), getattr(record, f"{split}_images")
    return (
        f"{record.architecture} seed={record.seed}: {figures['accuracy']:.2f} % on "
        f"{record.data_title} {split} ({figures['errors']:,} errors of {images:,}), "
        f"loss {figures['loss']:.4f}, {record.epochs} epoch{'s' * (record.epochs > 1)} "
        f"in {record.seconds_training:.0f} s"
    )


class Group(NamedTuple):
    """Runs that differ in nothing but their seed, and what they share.

    Attributes:
        tested: Whether they read the test digits; those that did not serve to choose something.
    """

    architecture: str
    recipe: str
    data: str
    precision: str
    variant: tuple[str, ...]
    tested: bool
    records: list[Record]

    @property
    def is_own(self) -> bool:
        """Whether it trains as the network's source did, on the source's data."""
        return (self.recipe, self.data, self.variant) == (self.architecture, "mnist", ())

    @property
    def is_tried(self) -> bool:
        """Whether it is another way to what a source claims of this network."""
        others = {*ARCHITECTURES} - {self.architecture}
        claimed = self.records[0].claim is not None and self.recipe not in others
        other_question = DISTORTIONS_ALONE & {*self.variant}
        return claimed and self.data == "mnist" and not (self.is_own or other_question)

    @property
    def title(self) -> str:
        """The recipe, and what else is special."""
        title = ["own" if self.recipe == self.architecture else self.recipe]
        title += [f"on {self.records[0].data_title}"] if self.data != "mnist" else []
        title += [self.precision] if self.precision != "32-true" else []
        return ", ".join([*title, *self.variant])


def groups(records: Iterable[Record]) -> list[Group]:
    """Gather the runs that differ in their seed only; small networks and own recipes first.

    Raises:
        UserError: Two of them are the same run.
    """
    found: dict[tuple[str, str, str, str, tuple[str, ...], bool], dict[int, Record]] = defaultdict(
        dict
    )
    for record in records:
        key = (
            *(record.architecture, record.recipe, record.data, record.precision),
            *(record.variant, record.test_images is not None),
        )
        if record.seed in found[key]:
            raise UserError(f"two records of the same run: {record.command}")
        found[key][record.seed] = record
    made = [
        Group(*key, [record for _, record in sorted(by_seed.items())])
        for key, by_seed in found.items()
    ]
    return sorted(
        made,
        key=lambda group: (
            group.records[0].parameters,
            group.architecture,
            group.recipe != group.architecture,
            group[1:5],
            not group.tested,
        ),
    )


def claims(records: Iterable[Record]) -> Table:
    """A row for each figure that a source claims, from the runs by that source's recipe."""
    rows = [row for group in groups(records) if group.is_own for row in _claims_of(group)]
    return CLAIMS, rows


def tried(records: Iterable[Record]) -> Table:
    """The same for other ways to what a source claims: what was tried beside its own recipe."""
    rows = [row for group in groups(records) if group.is_tried for row in _claims_of(group)]
    return CLAIMS, rows


def modern(records: Iterable[Record]) -> Table:
    """How far each network gets by today's training: test accuracy of both recipes, in percent.

    The interval is that of the difference, see `statistics.over_seeds`.
    """
    by_recipe: dict[str, dict[str, Group]] = defaultdict(dict)
    for group in groups(records):
        if group.data == "mnist" and group.tested and not group.variant:
            kind = "own" if group.is_own else group.recipe
            by_recipe[group.architecture].setdefault(kind, group)
    rows: list[Sequence[str]] = []
    for name, found in by_recipe.items():
        if {"own", "modern"} <= found.keys():
            own, new = (_accuracies(found[kind], "test")[1] for kind in ("own", "modern"))
            cells = [f"{_over_seeds(own, 2)} %", str(len(own)), f"{_over_seeds(new, 2)} %"]
            parameters = f"{found['own'].records[0].parameters:,}"
            change = over_seeds(new, own)
            span = f"{change.low:+.2f} to {change.high:+.2f}" if change else ""
            cells += [str(len(new)), f"{mean(new) - mean(own):+.2f}", span]
            rows.append((f"`{name}`", parameters, *cells))
    return MODERN, rows


def choices(records: Iterable[Record]) -> Table:
    """What was compared before something was chosen: runs that left the test digits unread."""
    rows: list[Sequence[str]] = []
    for group in groups(records):
        found = [record.figures("validation") for record in group.records]
        errors, losses = ([each[name] for each in found] for name in ("errors", "loss"))
        first = group.records[0]
        rows.append(
            (
                f"`{group.architecture}`",
                group.title,
                str(first.epochs),
                str(len(found)),
                f"{_over_seeds(errors, 1 if found[1:] else 0)} of {first.validation_images:,}",
                _over_seeds(losses, 4),
            )
        )
    return CHOICES, rows


def ensembles(found: Iterable[Ensemble]) -> Table:
    """Test errors of averaged probabilities beside those of each member."""
    rows: list[Sequence[str]] = []
    for ensemble in found:
        counts = Counter((each["architecture"], each["recipe"]) for each in ensemble.members)
        title = [
            f"{count} `{name}`" + ("" if recipe == name else f", {recipe}")
            for (name, recipe), count in counts.items()
        ]
        errors = [member["test_errors"] for member in ensemble.members]
        accuracy = 100 * (ensemble.test_images - ensemble.test_errors) / ensemble.test_images
        rows.append(
            (
                " and ".join(title),
                ", ".join(map(str, sorted(errors))),
                str(min(errors)),
                f"{ensemble.test_errors} of {ensemble.test_images:,}: {accuracy:.2f} %",
                f"{ensemble.test_errors - min(errors):+d}",
            )
        )
    return ENSEMBLES, rows


def results(records: Iterable[Record]) -> Table:
    """A row for each group of runs: accuracies in percent, times of the whole training.

    They are of the test digits, or of the digits held out where a run left those unread.
    """
    return RESULTS, [_result(group) for group in groups(records)]


def results_csv(records: Iterable[Record]) -> str:
    """Write the same as comma-separated values, whose columns are COLUMNS."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for group in groups(records):
        first, split = group.records[0], _judging_split(group.records[0])
        figures = [record.figures(split) for record in group.records]
        accuracies = [each["accuracy"] for each in figures]
        low, high = interval(accuracies) or ("", "")
        what = (first.architecture, first.parameters, group.recipe, group.data, group.precision)
        writer.writerow(
            (
                *(*what, " ".join(group.variant), first.epochs, first.device),
                *(len(figures), split, getattr(first, f"{split}_images"), mean(accuracies)),
                *(stdev(accuracies) if figures[1:] else "", low, high),
                mean(each["errors"] for each in figures),
                mean(record.seconds_training for record in group.records),
            )
        )
    return text.getvalue()


def markdown(table: Table) -> str:
    """Write a table as GitHub shows it; one without rows is a word."""
    header, rows = table
    if not rows:
        return "None yet."
    lines = [header, ["-" * len(name) for name in header], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def aligned(table: Table) -> str:
    """Write a table for a screen: columns under each other, words left and numbers right."""
    header, rows = table
    plain = [[cell.replace("`", "") for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    numbers = [
        all(row[i][:1].isdecimal() for row in plain[1:] if row[i]) for i in range(len(widths))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in plain
    ]
    return "\n".join(lines)


def _claims_of(group: Group) -> Iterable[Sequence[str]]:
    claim = group.records[0].claim or {}
    for split in ("test", "validation", "train") if group.tested else ("validation", "train"):
        claimed = claim.get(f"{split}_accuracy")
        trained_long_enough = split == "test" or group.records[0].epochs >= (
            claim.get("epochs") or 1
        )
        if claimed is not None and trained_long_enough and group.records[0].figures(split):
            name, values = _accuracies(group, split)
            yield _judged(group, name, f"{claimed:.2f} %", claimed, values, digits=2)
    if group.tested and (claimed := claim.get("test_loss")) is not None:
        values = [record.figures("test")["loss"] for record in group.records]
        yield _judged(group, "test loss", str(claimed), claimed, values, digits=4)


def _accuracies(group: Group, split: str) -> tuple[str, list[float]]:
    """What a source's claim on a split is compared with, and its name."""
    if split == "test":
        return "test accuracy", [record.figures("test")["accuracy"] for record in group.records]
    # Training accuracy is counted as the network learns, by Keras and by the paper of 1998 alike;
    # validation after the claim's epoch, if the source says which.
    first = group.records[0]
    epoch = (first.claim or {}).get("epochs") or first.kept_epoch
    curve = f"{split}/accuracy"
    if split == "validation" and not (first.claim or {}).get("epochs"):
        values = [record.figures("validation")["accuracy"] for record in group.records]
        return "validation accuracy", values
    values = [record.history[curve][epoch - 1] for record in group.records]
    plural = "s" if epoch > 1 else ""
    name = "validation" if split == "validation" else "training"
    return f"{name} accuracy, {epoch} epoch{plural}", values


def _judged(
    group: Group, name: str, text: str, claimed: float, values: list[float], *, digits: int
) -> Sequence[str]:
    found = interval(values)
    shown = [f"{mean(values):.{digits}f}", f"{stdev(values):.{digits}f}"] if found else []
    return (
        f"`{group.architecture}`",
        group.title,
        name,
        text,
        str(len(values)),
        *(shown or [f"{values[0]:.{digits}f}", ""]),
        f"{found[0]:.{digits}f} to {found[1]:.{digits}f}" if found else "",
        f"{min(values):.{digits}f} to {max(values):.{digits}f}" if found else "",
        verdict(values, claimed, greater_is_better=digits == 2),
    )


def _judging_split(record: Record) -> str:
    """Name the split that says most of a run: of those scored, the farthest from its training."""
    return next(split for split in ("test", "validation", "train") if record.figures(split))


def _result(group: Group) -> Sequence[str]:
    first, split = group.records[0], _judging_split(group.records[0])
    accuracies = [record.figures(split)["accuracy"] for record in group.records]
    errors = [record.figures(split)["errors"] for record in group.records]
    found = interval(accuracies)
    seconds = mean(record.seconds_training for record in group.records)
    kind = {"validation": "held-out", "train": "training"}.get(split, split)
    return (
        f"`{group.architecture}`",
        f"{first.parameters:,}",
        group.title,
        str(len(group.records)),
        f"{getattr(first, f'{split}_images'):,} {kind}",
        f"{mean(accuracies):.2f} %",
        f"{stdev(accuracies):.2f}" if found else "",
        f"{found[0]:.2f} to {found[1]:.2f}" if found else "",
        _over_seeds(errors, 1 if group.records[1:] else 0),
        str(first.epochs),
        f"{seconds:.0f} s, {first.device}",
    )


def _over_seeds(values: Sequence[float], digits: int) -> str:
    """Format a mean, with the standard deviation where there are several values."""
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


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
    """Put those tables into a page that it has markers for; it changes whole or not at all.

    Raises:
        UserError: There is no such page, or it has no markers.
    """
    try:
        page = path.read_text()
    except OSError as error:
        raise UserError(f"{path}: no readable page ({error})") from error
    named = [name for name in tables if BEGIN.format(name) in page]
    if not named:
        raise UserError(f"{path}: no markers there, such as {BEGIN.format('results')!r}")
    for name in named:
        page = with_table(page, name, tables[name])
    files.write(path, page)
