"""The model card of an exported file, and the record and table of such files."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mnist_arch.analysis.published import published
from mnist_arch.errors import UserError
from mnist_arch.inference.export import Exported
from mnist_arch.inference.metadata import metadata
from mnist_arch.models import blank
from mnist_arch.reports.table import Column, Table
from mnist_arch.reports.templates import render
from mnist_arch.runs import records
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record

SPLITS = {"train": "training"}  # where the word differs
LIBRARIES = ("onnx", "onnxruntime", "onnxscript")  # on which a file depends, beside torch


@dataclass(frozen=True, kw_only=True)
class Exports:
    """The record of exported files: each `Exported` as plain data."""

    version: int = 2
    files: list[dict[str, Any]]
    provenance: Provenance


def model_card(exported: Exported, run: Path) -> str:
    """Return the card of a run's file in Markdown; every number is the record's, or the file's.

    Raises:
        UserError: It is no finished run.
    """
    record, words = records.read(run / "record.json"), metadata(run)
    network = blank(record.architecture, record.arguments)
    contract = [(f"`{name}`", words[name]) for name in ("images", "scores", "probabilities")]
    claim = published().headline(record.architecture)
    return render(
        "card.md.j2",
        summary=network.summary(),
        head=type(network.head).__name__,
        record=record,
        exported=exported,
        folder=run.name,
        contract=Table((Column("name"), Column("meaning")), contract),
        scores=scores(record),
        by_digit=by_digit(record),
        claim=claim,
        source=claim and published().sources[claim.source],
        metadata=Table((Column("key"), Column("value")), [*words.items()]),
    )


def scores(record: Record) -> Table:
    """A row for each split that was scored, a column for each metric that it has."""
    metrics = [m for m in METRICS.values() if m.name in record.scores[record.judging_split]]
    columns = [Column("split"), Column("images", "{:,}")]
    columns += [Column(metric.title, metric.format, metric.name) for metric in metrics]
    rows = [
        (
            SPLITS.get(split, split),
            record.images[split],
            *(record.score(split, metric.name) for metric in metrics),
        )
        for split in record.scores
    ]
    return Table(columns, rows)


def by_digit(record: Record) -> Table:
    """The test errors of each digit; no row if the run was not tested."""
    columns = [Column("test digit"), *(Column(str(digit)) for digit in range(10))]
    return Table(columns, [("errors", *record.errors_by_label)] if record.confusion else [])


def table(exported: Iterable[Exported]) -> Table:
    """A row for each file: its size in bytes, and its differences from its network."""
    columns = (
        *(Column("file", "`{}`"), Column("bytes", "{:,}")),
        *(Column(f"{name} differ", "{:.1e}") for name in ("probabilities", "scores")),
    )
    rows = [(each.name, each.size, each.probabilities, each.scores) for each in exported]
    return Table(columns, rows)


def write(path: Path, exported: Iterable[Exported], provenance: Provenance) -> None:
    """Write the record of exported files atomically."""
    installed = {name: version(name) for name in LIBRARIES if find_spec(name)}
    provenance.versions.update(installed)
    record = Exports(files=[asdict(each) for each in exported], provenance=provenance)
    records.write_values(path, asdict(record))


def read(path: Path) -> list[Exported]:
    """Read the record of exported files.

    Raises:
        UserError: There is none, or it is not of this version.
    """
    try:
        return [records.built(Exported, each) for each in records.read_as(Exports, path).files]
    except ValueError as error:
        raise UserError(f"{path}: not a record of exported files ({error})") from error
