"""The record of a run: flat, versioned plain data, from which every table and figure is made."""

import json
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mnist_arch import files
from mnist_arch.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = TypeVar("Kind", bound="DataclassInstance")

VERSION = 1
SPLITS = ("train", "validation", "test")
# Overrides that change no experiment, or are told apart by a field of their own.
_SAID = re.compile(
    r"(model|recipe|data|seed|runs|test|figures|fail_fast|data\.root|(trainer|hydra)\..*)="
)
# Overrides that give a network's training distortions, or take them away, and change nothing else.
DISTORTIONS_ALONE = {"experiment=distorted", "recipe.augmentation=null"}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished run.

    Errors are images of a split that the kept weights misread, in evaluation mode and float32;
    losses are means over a split of the recipe's loss. ``validation_*`` is None when nothing
    was held out, ``test_*`` when the run was not to read the test digits. In the file stand also
    ``train_accuracy``, ``validation_accuracy`` and ``test_accuracy`` (percent), derived from the
    counts.

    Attributes:
        version: Of this format.
        status: ``finished``.
        architecture: A name of `mnist_arch.architectures`.
        recipe: A name in conf/recipe.
        data: A name in conf/data.
        data_title: The data set's own name.
        seed: Draws starting weights, order, distortions and dropout.
        overrides: What the command line changed, as Hydra writes it.
        command: A command that repeats the run.
        parameters: Trainable parameters.
        data_sha256: Of each file that the data was read from, uncompressed.
        split_digest: Of the images and digits trained and validated on.
        train_images: Size of the split; likewise for the others.
        epochs: Passes over the training split.
        kept_epoch: The epoch whose weights were kept, from 1.
        checkpoint: The kept weights, relative to the run's folder.
        test_errors_by_digit: For each true digit.
        test_confusion: Rows truth, columns prediction.
        history: What each epoch logged, as the network learned (dropout on, weights moving).
        seconds_start_up: Importing libraries and building; about 0 in later jobs of a sweep.
        seconds_data: Reading, verifying (and, the first time, fetching) the data.
        seconds_training: All epochs with their validation and checkpoints; of a run that was
            broken off, those epochs that it did not have to repeat.
        seconds_evaluation: Scoring the three splits with the kept weights.
        images_per_second: Training images shown, over seconds_training.
        device: What trained, with its number of CPU threads.
        precision: Lightning's name for the arithmetic of training.
        versions: Of Python and the libraries.
        commit: Of this project's checkout, None outside one.
        dirty: Whether that checkout had uncommitted changes.
        started: UTC, ISO 8601; of a run that was broken off, its last part.
        interrupted: Where training was broken off and went on: for each time the whole ``epochs``
            trained by then, and the ``commit`` that had trained them.
        claim: What the recipe's source says it reached, see training.recipe.Claim.
        note: What the recipe assumes or does differently from its source.
        config: The resolved configuration, keys joined by dots.
    """

    version: int = VERSION
    status: str
    architecture: str
    recipe: str
    data: str
    data_title: str
    seed: int
    overrides: list[str]
    command: str
    parameters: int
    data_sha256: dict[str, str]
    split_digest: str
    train_images: int
    validation_images: int | None
    test_images: int | None
    epochs: int
    kept_epoch: int
    checkpoint: str
    train_errors: int
    validation_errors: int | None
    test_errors: int | None
    train_loss: float
    validation_loss: float | None
    test_loss: float | None
    test_errors_by_digit: list[int] | None
    test_confusion: list[list[int]] | None
    history: dict[str, list[float]]
    seconds_start_up: float
    seconds_data: float
    seconds_training: float
    seconds_evaluation: float
    images_per_second: float
    device: str
    precision: str
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    started: str
    interrupted: list[dict[str, Any]] = field(default_factory=list)
    claim: dict[str, Any] | None
    note: str
    config: dict[str, Any]

    @property
    def variant(self) -> tuple[str, ...]:
        """The overrides that make this another experiment than its network, recipe and data."""
        return tuple(word for word in self.overrides if not _SAID.match(word))

    def accuracy(self, split: str) -> float | None:
        """Return the percentage of a split that is read right; None for an empty split."""
        images, errors = getattr(self, f"{split}_images"), getattr(self, f"{split}_errors")
        return None if images is None else 100 * (images - errors) / images

    def figures(self, split: str) -> dict[str, float]:
        """Return accuracy (percent), errors and loss of a split; none if it was not scored."""
        accuracy = self.accuracy(split)
        if accuracy is None:
            return {}
        errors, loss = getattr(self, f"{split}_errors"), getattr(self, f"{split}_loss")
        return {"accuracy": accuracy, "errors": errors, "loss": loss}

    def write(self, folder: Path) -> None:
        """Write record.json, one key a line, into a folder; it appears whole or not at all."""
        accuracies = {f"{split}_accuracy": self.accuracy(split) for split in SPLITS}
        write_values(folder / "record.json", asdict(self) | accuracies)


def write_values(path: Path, values: dict[str, Any]) -> None:
    """Write plain data as JSON, one key a line; the file appears whole or not at all."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    files.write(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read(path: Path) -> Record:
    """Read a record, from its file or its run's folder.

    Raises:
        UserError: There is none, or it is not a record of this version.
    """
    return read_as(Record, path / "record.json" if path.is_dir() else path)


def read_as(kind: type[Kind], path: Path) -> Kind:
    """Read a record of any kind: a dataclass whose field ``version`` has its version by default.

    Raises:
        UserError: There is none, or it is not of this version.
    """
    known = fields(kind)
    version: Any = next(each.default for each in known if each.name == "version")
    needed = {each.name for each in known if each.default_factory is MISSING}
    values = read_values(path, needed, version)
    return kind(**{each.name: values[each.name] for each in known if each.name in values})


def read_values(path: Path, needed: set[str], version: int) -> dict[str, Any]:
    """Read plain data that was written by `write_values`.

    Raises:
        UserError: It is not readable, of another version, or lacks a key that is needed.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable record ({error})") from error
    if not isinstance(values, dict) or values.get("version") != version or needed - values.keys():
        raise UserError(f"{path}: not a record of version {version}; run it again")
    return values


def read_all(folder: Path) -> list[Record]:
    """Read every record below a folder, in the order of their paths.

    Raises:
        UserError: One of them is not readable.
    """
    paths = sorted(folder.glob("*.json")) + sorted(folder.glob("*/record.json"))
    return [read(path) for path in paths]
