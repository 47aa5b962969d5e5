"""The page docs/audit.md: the test digits that nearly every network misclassifies."""

from pathlib import Path

from matplotlib.figure import Figure

from mnist_arch import files
from mnist_arch.analysis.audit import DOUBTED, NEARLY_ALL, Audit, gain
from mnist_arch.data import sources
from mnist_arch.reports.figures.digits import digit_rows
from mnist_arch.reports.figures.style import write_png
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render

ACROSS = 12  # digits in a row


def write(record: Audit, page: Path) -> None:
    """Write the page, and beside it the picture of its digits, atomically.

    Raises:
        UserError: The data is not to be had.
    """
    write_png(figure(record), page.with_suffix(".png"))
    files.write(page, text(record))


def text(record: Audit) -> str:
    """Return the page as Markdown."""
    return render(
        "audit.md.j2",
        audit=record,
        digits=table(record),
        networks=networks(record),
        doubted=doubted(record),
        nearly_all=NEARLY_ALL,
        gain=gain(record),
        people=len(DOUBTED),
    )


def table(record: Audit) -> Table:
    """A row for each hard digit: what it is called, what networks see, and what people saw."""
    rows = []
    for each in record.hard:
        opinion = DOUBTED.get(each["place"])
        votes = ", ".join(f"{digit} ({count})" for digit, count in each["votes"].items())
        rows.append((each["place"], each["label"], 100 * each["share"], votes, opinion))
    columns = [
        *(Column("place"), Column("label"), Column("misclassified by", "{:.0f} %")),
        Column("predicted (runs)"),
        Column("five people: label, the networks' digit, neither", "{0}, {1}, {2}"),
    ]
    return Table(columns, rows)


def networks(record: Audit) -> Table:
    """A row for each network: its accuracy with the hard digits and without."""
    columns = [
        *(Column("network", "`{}`"), Column("runs"), Column("accuracy", "{:.2f} %")),
        Column("without these digits", "{:.2f} %"),
    ]
    rows = [
        (name, runs, record.accuracy[name], record.accuracy_without[name])
        for name, runs in record.runs.items()
    ]
    return Table(columns, rows)


def doubted(record: Audit) -> Table:
    """A row for each digit that people did not read as its label: do our networks?"""
    columns = [Column("place"), Column("misclassified by", "{:.0f} %")]
    return Table(columns, [(place, 100 * share) for place, share in record.doubted.items()])


def figure(record: Audit) -> Figure:
    """Draw the hard digits, a dozen in a row.

    Raises:
        UserError: The data is not to be had.
    """
    places = [each["place"] for each in record.hard]
    images = sources.load(record.data, sources.default_root()).test.images
    rows = {}
    for first in range(0, len(places), ACROSS):
        some = places[first : first + ACROSS]
        drawn = images.new_zeros(min(ACROSS, len(places)), 1, 28, 28)
        drawn[: len(some)] = images[some]
        rows[f"from {some[0]:,}"] = drawn
    return digit_rows(rows, "Test digits that nearly every network misclassifies")
