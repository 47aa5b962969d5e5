"""The page docs/reading.md: how well pictures are classified that are not MNIST's."""

from collections.abc import Sequence

from mnist_arch.analysis.ablation import ABLATIONS
from mnist_arch.analysis.external import CHANGED, ExternalValidity
from mnist_arch.analysis.kinds import HELD_OUT
from mnist_arch.inference.predictor import DOUBTED, DOUBTED_BY_READER
from mnist_arch.models import blank
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs.shipped import READER

TRAINED = 0.5  # share of original digits that a network classifies correctly, if it is trained


def in_order(records: Sequence[ExternalValidity]) -> list[ExternalValidity]:
    """Sort records by network, the smallest first, and by recipe."""
    names = {each.run["architecture"] for each in records}
    sizes = {name: blank(name).parameter_count for name in names}
    return sorted(records, key=lambda each: (sizes[each.run["architecture"]], title(each)))


def title(record: ExternalValidity) -> str:
    """The network, and its recipe when that is not its own."""
    architecture, recipe = record.run["architecture"], record.run["recipe"]
    return f"`{architecture}`" + (f", {recipe}" if recipe != architecture else "")


def change(record: ExternalValidity, kind: str) -> float:
    """By how many percentage points accuracy changes when digits are changed."""
    return 100 * (record.originals - record.errors[kind]) / record.digits


def uci_accuracy(record: ExternalValidity) -> float:
    """Percent of UCI's digits."""
    return 100 * (record.uci_digits - record.errors["uci"]) / record.uci_digits


def accepted(record: ExternalValidity, kind: str) -> float:
    """Percent of the pictures of a kind, which are no digits, that are not doubted."""
    return 100 * record.accepted[kind] / record.no_digits


def accuracies(records: Sequence[ExternalValidity]) -> Table:
    """A row for each network: its accuracy, changes in points, and accuracy on UCI's digits."""
    columns = (
        *(Column("network"), Column("originals", "{:.2f} %")),
        *(Column(name, "{:+.2f}") for name in ("through `prepare`", "enlarged", "photographed")),
        Column("augmentation in training", lambda value: "yes" if value else "no"),
        Column("UCI's digits", "{:.2f} %"),
    )
    rows = [
        (
            *(title(each), 100 * (each.digits - each.originals) / each.digits),
            *(change(each, kind) for kind in CHANGED),
            *(each.augmented, uci_accuracy(each)),
        )
        for each in records
    ]
    return Table(columns, rows)


def steps(record: ExternalValidity) -> Table:
    """A row for each step of preprocessing left out: errors."""
    columns = (
        *(Column("step left out"), Column("instead")),
        *(Column(name) for name in ("enlarged", "photographed", "UCI's digits")),
    )
    rows = []
    for key, errors in record.ablation.items():
        step, instead = ABLATIONS[key][:2] if key else ("none", None)
        rows.append((step, instead, *errors.values()))
    return Table(columns, rows)


def doubts(records: Sequence[ExternalValidity]) -> Table:
    """A row for each network: what it doubts, and what it takes for digits, in percent."""
    kinds = [*records[0].accepted]
    columns = (
        *(Column("network"), Column("doubted digits", "{:.1f} %")),
        Column("errors among them", "{} of {}"),
        *(Column(kind, "{:.1f} %") for kind in kinds),
    )
    rows = [
        (
            *(title(each), 100 * each.doubted / each.digits),
            (each.doubted_errors, each.originals),
            *(accepted(each, kind) for kind in kinds),
        )
        for each in records
    ]
    return Table(columns, rows)


def papers(records: Sequence[ExternalValidity]) -> Table:
    """A row for each kind of paper: what each network reads, and its errors without doubt."""
    columns = [Column("kind")]
    for each in records:
        columns += [Column(title(each), "{:.0f} %"), Column("undoubted errors", "{:.0f} %")]
    rows = []
    for kind in records[0].kinds if records else ():
        row: list[object] = [kind]
        for each in records:
            misread, undoubted = each.kinds[kind]
            row += [100 - 100 * misread / each.of_a_kind, 100 * undoubted / each.of_a_kind]
        rows.append(row)
    return Table(columns, rows)


def page(records: Sequence[ExternalValidity]) -> str:
    """Lay out the records of some runs, at least one of them with an ablation."""
    records = in_order(records)
    ablated = next(each for each in records if each.ablation)
    trained = [each for each in records if each.originals < TRAINED * each.digits]
    reader = next((each for each in records if each.run["recipe"] == READER), None)
    plain = [each for each in trained if each is not reader]
    return render(
        "reading.md.j2",
        first=records[0],
        ablated=ablated,
        network=title(ablated),
        largest=max(abs(change(each, kind)) for each in trained for kind in CHANGED),
        uci=sorted(map(uci_accuracy, trained)),
        letters=max(accepted(each, "letters") for each in plain),
        reader=reader,
        reader_letters=reader and accepted(reader, "letters"),
        reader_doubts=reader and 100 * reader.doubted / reader.digits,
        accuracies=accuracies(records),
        steps=steps(ablated),
        doubts=doubts(records),
        papers=papers([each for each in records if each.kinds]),
        of_a_kind=max(each.of_a_kind for each in records),
        kept=100 * (1 - DOUBTED),
        kept_by_reader=100 * (1 - DOUBTED_BY_READER),
        thinnest=min(HELD_OUT.pens),
        widest=max(HELD_OUT.pens),
        slants=sorted(HELD_OUT.slants),
    )
