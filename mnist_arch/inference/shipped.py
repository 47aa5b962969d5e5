"""The trained weights that come with the package, so that a network answers without training.

Each set is the folder of a run: its record, a model card, and in place of checkpoints its weights
as safetensors, which hold the float32 numbers as they were trained. ``lenet5`` is trained by the
network's own recipe, ``lenet5-modern`` by the modern one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from mnist_arch import files
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError, suggestion
from mnist_arch.inference.export import Exported, Program, differences, sample
from mnist_arch.models.network import Network
from mnist_arch.runs import checkpoint, records
from mnist_arch.runs.records import Record

FOLDER = Path(__file__).parents[1] / "weights"
FILE = "weights.safetensors"
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
    path, names = Path(path), {folder.name: folder for folder in _folders()}
    if path.exists() or len(path.parts) != 1:
        return path
    if path.name in names:
        return names[path.name]
    if path.suffix:
        return path  # a file that is not there
    raise UserError(
        f"{path}: no such run or checkpoint, and no weights of that name come with the package; "
        f"{suggestion(path.name, names)}"
    )


def name(architecture: str, kind: str) -> str:
    """Return the name of a network's set of one of `KINDS`.

    Raises:
        UserError: There is no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"weights={kind!r}: {suggestion(str(kind), KINDS)}, or None")
    return architecture if kind == "own" else f"{architecture}-{kind}"


def ship(run: Path, data: Dataset, out: Path = FOLDER) -> tuple[Path, Exported]:
    """Make a set of a finished run; returns its folder, and how its file was verified.

    Raises:
        UserError: It is no finished run by a recipe of which there is a set, or what is read back
            is not the network.
    """
    record, content = records.read(run), checkpoint.read(run)
    kind = "own" if record.recipe == record.architecture else record.recipe
    if record.variant or record.data != "mnist" or not record.tested:
        raise UserError(
            f"{run}: to be shipped, a run is tested, on MNIST, by a recipe as it stands"
        )
    folder, net = out / name(record.architecture, kind), checkpoint.network(content, run)
    folder.mkdir(parents=True, exist_ok=True)
    images = sample(data.train.images)
    batches = [1, 7, len(images)]
    with files.whole(folder / FILE) as unfinished:
        checkpoint.write_safetensors(net, content["mnist_arch"], unfinished)
        again = checkpoint.network(checkpoint.read_safetensors(unfinished), unfinished)
        probabilities, scores = differences(_program(again), net, images, batches)
        sha256 = checkpoint.weights_sha256(net.state_dict())
        if checkpoint.weights_sha256(again.state_dict()) != sha256:
            raise UserError(f"{run}: not shipped: what is read back are other weights")
    replace(record, checkpoint=FILE, weights_sha256=sha256).write(folder)
    written = (folder / FILE).read_bytes()
    return folder, Exported(
        name=FILE,
        size=len(written),
        sha256=hashlib.sha256(written).hexdigest(),
        verified_on=f"{len(images):,} training images of {data.title}",
        batches=batches,
        probabilities=probabilities,
        scores=scores,
    )


def _folders() -> Iterator[Path]:
    return (path.parent for path in sorted(FOLDER.glob(f"*/{FILE}")))


def _program(net: Network) -> Program:
    def program(images: Tensor) -> tuple[Tensor, Tensor]:
        scores = net(images)
        return scores, net.head.probabilities(scores)

    return program
