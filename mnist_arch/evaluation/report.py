"""Words and tables made from records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.evaluation.records import Record

BEGIN, END = "<!-- results: written by `make report` -->", "<!-- end of results -->"
HEADER = (
    "architecture",
    "parameters",
    "recipe",
    "the source says",
    "we measured",
    "errors",
    "test loss",
    "seeds",
    "epochs",
    "seconds of training",
)


def summary(record: Record) -> str:
    """Say a run's result in one line."""
    split = next(split for split in ("test", "validation", "train") if record.figures(split))
    figures, images = record.figures(split), getattr(record, f"{split}_images")
    return (
        f"{record.architecture} seed={record.seed}: {figures['accuracy']:.2f} % on "
        f"{record.data_title} {split} ({figures['errors']:,} errors of {images:,}), "
        f"loss {figures['loss']:.4f}, {record.epochs} epoch{'s' * (record.epochs > 1)} "
        f"in {record.seconds_training:.0f} s"
    )


def results_table(records: Iterable[Record]) -> str:
    """Return a Markdown table, a row for each (architecture, recipe, data, precision), and notes.

    Accuracies are on the test split, in percent; with several seeds the mean and the standard
    deviation over them; seconds are means. A number in brackets leads to a note below the table.
    """
    groups: dict[tuple[int, str, str, str], list[Record]] = defaultdict(list)
    names = mnist_arch.architectures()
    for record in records:
        place = names.index(record.architecture)
        own_first = "" if record.recipe == record.architecture else record.recipe
        groups[place, own_first, record.data, record.precision].append(record)
    rows, notes = [HEADER, tuple("-" * len(name) for name in HEADER)], list[str]()
    for _, group in sorted(groups.items()):
        if group[0].note:
            notes.append(f"{len(notes) + 1}. {group[0].note}")
        rows.append(_row(group, f" ({len(notes)})" if group[0].note else ""))
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return table + "".join(f"\n\n{note}" if not n else f"\n{note}" for n, note in enumerate(notes))


def _row(group: Sequence[Record], mark: str) -> tuple[str, ...]:
    first = group[0]
    recipe = "own" if first.recipe == first.architecture else first.recipe
    recipe += "" if first.data == "mnist" else f", on {first.data_title}"
    recipe += "" if first.precision == "32-true" else f", {first.precision}"
    accuracies = [found for record in group if (found := record.accuracy("test")) is not None]
    return (
        f"`{first.architecture}`",
        f"{first.parameters:,}",
        recipe + mark,
        _claimed(first.claim or {}),
        f"{_over_seeds(accuracies, 2)} %",
        f"{_over_seeds([record.test_errors for record in group], 1 if group[1:] else 0)}"
        f" of {first.test_images:,}",
        _over_seeds([record.test_loss for record in group], 4),
        str(len(group)),
        str(first.epochs),
        f"{mean(record.seconds_training for record in group):.0f}, {first.device}",
    )


def _claimed(claim: dict[str, Any]) -> str:
    if claim.get("test_accuracy") is None:
        validation = claim.get("validation_accuracy")
        return "" if validation is None else f"{validation:.2f} % on validation"
    loss = claim.get("test_loss")
    return f"{claim['test_accuracy']:.2f} %" + ("" if loss is None else f", loss {loss}")


def _over_seeds(values: Sequence[float], digits: int) -> str:
    """Format a mean, with the standard deviation where there are several values."""
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def with_table(page: str, table: str) -> str:
    """Return a page whose text between the two markers is the table.

    Raises:
        UserError: The page lacks the markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(f"the page has no lines {BEGIN!r} and {END!r} to write between")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def write_table(path: Path, table: str) -> None:
    """Put the table between the markers of a page; the file changes whole or not at all."""
    page = with_table(path.read_text(), table)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(page)
    unfinished.replace(path)
