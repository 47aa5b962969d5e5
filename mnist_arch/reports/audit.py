"""The page docs/audit.md: the test digits that nearly every network misclassifies."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from mnist_arch import files
from mnist_arch.analysis.audit import DOUBTED, NEARLY_ALL, Audit
from mnist_arch.data.splits import Split
from mnist_arch.reports.figures.digits import digit_rows
from mnist_arch.reports.figures.style import write_png
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs import checkpoint, records, shipped
from mnist_arch.runs.records import Record
from mnist_arch.runs.scoring import scores_of

ACROSS = 12  # digits in a row


def counted(folder: Path) -> dict[Path, Record]:
    """Read the records that the page counts, those of MNIST by a recipe as it stands.

    Older ones that do not say which images were misclassified are left out.
    """
    members = {path: records.read(path) for path in sorted(folder.glob("*.json"))}
    return {
        path: each
        for path, each in members.items()
        if each.data == "mnist" and not each.variant and not each.label and each.misclassified
    }


def write(audit: Audit, test: Split, page: Path) -> None:
    """Write the page, and beside it the picture of its digits, atomically."""
    write_png(figure(audit, test), page.with_suffix(".png"))
    files.write(page, text(audit, test))


def text(audit: Audit, test: Split) -> str:
    """Return the page as Markdown."""
    answers = shipped_answers(test.images[audit.hard])
    return render(
        "audit.md.j2",
        audit=audit,
        digits=table(audit, test.labels, answers),
        networks=networks(audit),
        doubted=doubted(audit),
        nearly_all=NEARLY_ALL,
        people=len(DOUBTED),
        both=len({*audit.hard} & DOUBTED.keys()),
    )


def shipped_answers(images: Tensor) -> list[Counter[int]]:
    """Ask every network of the package but the reader what each of (N, 1, 28, 28) images shows."""
    sets = [each.folder for each in shipped.shipped() if each.name != shipped.READER]
    nets = [checkpoint.load(folder).eval() for folder in sets]
    answers = torch.stack([scores_of(net, images).argmax(1) for net in nets], dim=1)
    return [Counter(each) for each in answers.tolist()]


def table(audit: Audit, labels: Tensor, answers: Sequence[Counter[int]] = ()) -> Table:
    """A row for each hard digit: its label, what networks see if that is known, and people."""
    columns = [
        *(Column("place"), Column("label"), Column("misclassified by", "{:.0f} %")),
        *([Column("answers of the networks in the package")] if answers else []),
        Column("five people: label, the networks' digit, neither", "{0}, {1}, {2}"),
    ]
    rows = []
    for number, place in enumerate(audit.hard):
        said = [_counts(answers[number])] if answers else []
        row = (place, int(labels[place]), 100 * audit.share[place], *said, DOUBTED.get(place))
        rows.append(row)
    return Table(columns, rows)


def _counts(answers: Counter[int]) -> str:
    return ", ".join(f"{digit} ({count})" for digit, count in answers.most_common())


def networks(audit: Audit) -> Table:
    """A row for each network: its accuracy with the hard digits and without."""
    columns = [
        *(Column("network", "`{}`"), Column("runs"), Column("accuracy", "{:.2f} %")),
        Column("without these digits", "{:.2f} %"),
    ]
    rows = [
        (name, runs, audit.accuracy[name], audit.accuracy_without[name])
        for name, runs in audit.runs.items()
    ]
    return Table(columns, rows)


def doubted(audit: Audit) -> Table:
    """A row for each digit that people did not read as its label: do our networks?"""
    columns = [Column("place"), Column("misclassified by", "{:.0f} %")]
    return Table(columns, [(place, 100 * audit.share[place]) for place in DOUBTED])


def figure(audit: Audit, test: Split) -> Figure:
    """Draw the hard digits, a dozen in a row."""
    rows = {}
    for first in range(0, len(audit.hard), ACROSS):
        some = audit.hard[first : first + ACROSS]
        drawn = test.images.new_zeros(min(ACROSS, len(audit.hard)), 1, 28, 28)
        drawn[: len(some)] = test.images[some]
        rows[f"from {some[0]:,}"] = drawn
    return digit_rows(rows, "Test digits that nearly every network misclassifies")
