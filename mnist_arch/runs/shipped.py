"""The trained weights that come with the package, so that a network answers without training.

Each set is the folder of a run: its record, a model card, and in place of checkpoints its weights
as safetensors, which hold the float32 numbers as they were trained. ``lenet5`` is trained by the
network's own recipe, ``lenet5-modern`` by the modern one; ``reader`` is what `Reader` reads with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_arch.errors import UserError, suggestion
from mnist_arch.runs import records
from mnist_arch.runs.records import Record

FOLDER = Path(__file__).parents[1] / "weights"
FILE = "weights.safetensors"
READER = "reader"
KINDS = ("own", "modern")  # recipes of which there is a set


@dataclass(frozen=True)
class Shipped:
    """A set of weights.

    Attributes:
        name: ``lenet5``, or ``lenet5-modern``.
        folder: Where it is.
        record: Of the run that it is from.
        size: Bytes of its file.
    """

    name: str
    folder: Path
    record: Record
    size: int

    def __repr__(self) -> str:
        accuracy = self.record.score("test", "accuracy")
        return (
            f"Shipped({self.name!r}, {accuracy:.2f} % of MNIST's test images, {self.size:,} bytes)"
        )


def shipped() -> list[Shipped]:
    """Return every set, in the order of their names."""
    return [
        Shipped(folder.name, folder, records.read(folder), (folder / FILE).stat().st_size)
        for folder in _folders()
    ]


def located(path: str | Path) -> Path:
    """Return the folder of the set of that name; another path, and one that exists, as it is.

    Raises:
        UserError: It is neither a path nor a name, though like one.
    """
    path = Path(path)
    if path.exists() or len(path.parts) != 1 or path.suffix:
        return path
    if found := named(path.name):
        return found
    raise UserError(
        f"{path}: no such run or checkpoint, and no weights of that name come with the package; "
        f"{suggestion(path.name, [folder.name for folder in _folders()])}"
    )


def known_as(folder: Path) -> str:
    """Return what names a folder on every machine: a set's name, else the path that was typed."""
    return folder.name if folder.parent == FOLDER else str(folder)


def named(name: str) -> Path | None:
    """Return the folder of the set of that name; None where there is none."""
    return next((folder for folder in _folders() if folder.name == name), None)


def name(architecture: str, kind: str) -> str:
    """Return the name of a network's set of one of `KINDS`.

    Raises:
        UserError: There is no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"weights={kind!r}: {suggestion(str(kind), KINDS)}, or None")
    return architecture if kind == "own" else f"{architecture}-{kind}"


def _folders() -> Iterator[Path]:
    return (path.parent for path in sorted(FOLDER.glob(f"*/{FILE}")))
