"""Records: versioned plain data, from which every table and figure is made."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from mnist_arch import files
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from _typeshed import DataclassInstance
    from numpy.typing import NDArray
    from torch import Tensor

Kind = TypeVar("Kind", bound="DataclassInstance")

VERSION = 2
LARGEST = 10_000_000  # bytes: ten times what the history of 10,000 epochs has
DEEPEST = 10  # lists and mappings inside each other; no record has half as many
SURROGATE = re.compile("[\ud800-\udfff]")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished run.

    Scores are of the kept weights, in evaluation mode and float32.

    Attributes:
        version: Of this format.
        status: ``finished``.
        architecture: A name of `mnist_arch.architectures`.
        recipe: A name in conf/recipe.
        data: A name in conf/data.
        data_title: The data set's own name.
        seed: Draws starting weights, order, augmentation and dropout.
        variant: Settings in which the run differs from its recipe, keys joined by dots; see
            `identity.variant`.
        label: A short name for them, "" for none.
        parameters: Trainable parameters.
        split_digest: Of the images and labels trained and validated on.
        images: Size of each split that was scored. ``test`` is missing from a run that left the
            test images unread, ``validation`` where nothing was held out.
        scores: For each of these splits the value of each of `metrics.METRICS`; the loss is the
            recipe's.
        confusion: Of the test split, rows truth, columns prediction; None where it was not scored.
        misclassified: Which test images are, a bit each (`mask`); None in older records, too.
        epochs: Trained.
        kept_epoch: The epoch whose weights were kept, from 1.
        checkpoint: The kept weights, relative to the run's folder.
        weights_sha256: Of them, see `checkpoint.weights_sha256`; None in older records.
        history: What each epoch logged while the network learned (dropout on, weights moving).
        seconds: ``start_up`` (importing and building; about 0 in later jobs of a sweep), ``data``
            (reading, verifying and, the first time, fetching), ``training`` (all epochs with
            their validation and checkpoints; of a run that was interrupted, those epochs that it
            did not have to repeat) and ``evaluation`` (scoring the splits).
        device: What trained, with its number of CPU threads, and whether bf16 was emulated there.
        precision: Lightning's name for the arithmetic of training.
        started: UTC, ISO 8601; of a run that was interrupted, its last part.
        interrupted: Where training was interrupted and resumed: for each time the ``epochs``
            finished by then, and the ``commit`` that had trained them.
        provenance: What made it.
        config: The resolved configuration, keys joined by dots.
    """

    version: int = VERSION
    status: str
    architecture: str
    recipe: str
    data: str
    data_title: str
    seed: int
    variant: dict[str, Any]
    label: str = ""
    parameters: int
    split_digest: str
    images: dict[str, int]
    scores: dict[str, dict[str, float]]
    confusion: list[list[int]] | None
    misclassified: str | None = None
    epochs: int
    kept_epoch: int
    checkpoint: str
    weights_sha256: str | None = None
    history: dict[str, list[float]]
    seconds: dict[str, float]
    device: str
    precision: str
    started: str
    interrupted: list[dict[str, Any]] = field(default_factory=list)
    provenance: Provenance
    config: dict[str, Any]

    @property
    def tested(self) -> bool:
        """Whether the test images were classified; a run that was not served to choose."""
        return "test" in self.scores

    @property
    def judged_on(self) -> str:
        """The split that says how good it is: test, or validation if that was left unread."""
        return "test" if self.tested else "validation"

    @property
    def arguments(self) -> dict[str, Any]:
        """The network's arguments, for what its source leaves open."""
        keys = [key for key in self.config if key.startswith("model.") and key != "model.name"]
        return {key.removeprefix("model."): self.config[key] for key in keys}

    @property
    def judging_split(self) -> str:
        """The split that says most of the run: of those scored, the farthest from training."""
        return next(split for split in ("test", "validation", "train") if split in self.scores)

    def score(self, split: str, metric: str) -> float | None:
        """Return a metric of a split; None where it was not scored, or not by this metric."""
        return self.scores.get(split, {}).get(metric)

    @property
    def errors_by_label(self) -> list[int]:
        """Misclassified test images of each true class."""
        return [sum(row) - row[label] for label, row in enumerate(self.confusion or [])]

    @property
    def misclassified_images(self) -> "NDArray[np.bool_] | None":
        """(N,) whether each test image is misclassified, in file order; None if not recorded."""
        if self.misclassified is None:
            return None
        return unmasked(self.misclassified, self.images["test"])

    def write(self, folder: Path) -> None:
        """Write record.json atomically into a folder, one key a line."""
        write_values(folder / "record.json", asdict(self))


def mask(flags: "Sequence[bool] | Tensor") -> str:
    """Pack (N,) flags into a text: eight to a byte, the first in its highest bit, as base64.

    >>> mask([True, False, False, False, False, False, False, False, True])
    'gIA='
    """
    import numpy as np  # not needed by those who only look for records

    return base64.b64encode(np.packbits(np.asarray(flags, dtype=bool)).tobytes()).decode()


def unmasked(text: str, count: int) -> "NDArray[np.bool_]":
    """Unpack what `mask` made of that many flags.

    Raises:
        ValueError: It was made of another number.
    """
    import numpy as np

    packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    flags = np.unpackbits(packed).astype(bool)
    if len(packed) != -(-count // 8) or flags[count:].any():
        raise ValueError(f"a mask of {8 * len(packed)} bits for {count} images")
    return flags[:count]


def write_values(path: Path, values: dict[str, Any]) -> None:
    """Write plain data atomically as JSON, one key a line.

    What is no text, as bytes in a file's name may not be, is spelt out: as six letters.
    """
    lines = (f"{json.dumps(key)}: {_text(value)}" for key, value in values.items())
    files.write(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _text(value: Any) -> str:
    return SURROGATE.sub(
        lambda half: f"\\\\u{ord(half[0]):x}", json.dumps(value, ensure_ascii=False)
    )


def read(path: Path) -> Record:
    """Read a record, from its file or its run's folder.

    Raises:
        UserError: There is none, or it is not a record of this version.
    """
    path = path / "record.json" if path.is_dir() else path
    record = read_as(Record, path, _contradiction)
    try:
        flags = record.misclassified_images
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not a readable record (misclassified: {error})") from error
    if flags is not None and flags.sum() != (errors := record.score("test", "errors")):
        raise UserError(
            f"{path}: contradicts itself: its mask of misclassified images has {flags.sum():,}, "
            f"its score {errors}"
        )
    return record


def _contradiction(record: Record) -> str | None:
    """Say what in a record cannot be; None if all can."""
    if not record.images or record.scores.keys() != record.images.keys():
        return "its scores are not of splits with images"
    for split, images in record.images.items():
        errors = record.score(split, "errors")
        if split not in SPLITS or images < 1:
            return "its scores are not of splits with images"
        if not {"accuracy", "loss"} <= record.scores[split].keys() or errors is None:
            return f"no accuracy, errors or loss of its {split} images"
        if errors != int(errors) or not 0 <= errors <= images:
            return f"{errors} errors of its {images:,} {split} images"
        if abs(record.scores[split]["accuracy"] - 100 * (images - errors) / images) > 1e-9:
            return f"its {split} accuracy is not that of {errors:,} errors"
    if not all(isinstance(v, str) for k, v in record.variant.items() if k.endswith("_target_")):
        return "its variant builds what has no name"
    if record.seed < 0 or not 1 <= record.kept_epoch <= record.epochs:
        return f"seed {record.seed}, epoch {record.kept_epoch} of {record.epochs}"
    if any(len(curve) != record.epochs for curve in record.history.values()):
        return f"its history is not of {record.epochs} epochs"
    if record.confusion is not None:
        counts = [len(row) for row in record.confusion]
        if counts != [10] * 10 or sum(map(sum, record.confusion)) != record.images.get("test"):
            return "its confusion matrix does not count its test images"
        if sum(record.errors_by_label) != record.score("test", "errors"):
            return "its confusion matrix does not count its errors"
        if min(map(min, record.confusion)) < 0:
            return "its confusion matrix counts less than none"
    return None


def read_as(
    kind: type[Kind], path: Path, contradiction: Callable[[Kind], str | None] = lambda _: None
) -> Kind:
    """Read a record of any kind: a dataclass whose field ``version`` has its version by default.

    A field with a default may be missing from the file. ``contradiction`` says what in a record
    cannot be, None if all can.

    Raises:
        UserError: There is none, it is not of this version, or it cannot be.
    """
    known = fields(kind)
    version: Any = next(each.default for each in known if each.name == "version")
    needed = {
        each.name
        for each in known
        if each.name == "version" or (each.default is MISSING and each.default_factory is MISSING)
    }
    values = read_values(path, needed, version)
    try:
        record = built(kind, values)
    except ValueError as error:
        raise UserError(f"{path}: not a readable record ({error})") from error
    architecture = getattr(record, "architecture", None)
    if architecture is not None and architecture not in ARCHITECTURES:
        near = suggestion(architecture, ARCHITECTURES)
        raise UserError(f"{path}: no network {architecture!r}; {near}")
    if wrong := contradiction(record):
        raise UserError(f"{path}: contradicts itself: {wrong}")
    return record


def built(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Make a dataclass of plain data, whose other keys do not count.

    Raises:
        ValueError: A field is missing, or its value is of another type.
    """
    hints, present = get_type_hints(kind, {"Any": Any, "Provenance": Provenance}), {}
    for each in fields(kind):
        if each.name in values:
            value, hint = values[each.name], hints[each.name]
            if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, dict):
                present[each.name] = built(hint, value)
            elif _fits(value, hint):
                present[each.name] = value
            else:
                raise ValueError(f"{each.name}: {type(value).__name__}?")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"no {each.name}")
    return kind(**present)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _fits(value: Any, hint: Any) -> bool:
    """Whether plain data is of a type, all the way down."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        if isinstance(value, dict):
            return _fits(value, dict[str, Any])
        if isinstance(value, list):
            return _fits(value, list[Any])
        return value is None or any(_fits(value, each) for each in (bool, str, float))
    if is_typeddict(hint):
        keys = get_type_hints(hint)
        known = isinstance(value, dict) and keys.keys() <= value.keys()
        return known and all(_fits(value[key], each) for key, each in keys.items())
    if origin is UnionType:
        return any(_fits(value, each) for each in inner)
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is tuple:
        return isinstance(value, list)  # as JSON has them
    if origin is dict:
        pairs = value.items() if isinstance(value, dict) else [(None, None)]
        return all(_fits(key, str) and _fits(each, inner[1]) for key, each in pairs)
    if hint is str:  # half of a surrogate pair can be written nowhere
        return isinstance(value, str) and not SURROGATE.search(value)
    if hint in (int, float):
        numbers = int if hint is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, hint)


def read_values(path: Path, needed: set[str], version: int) -> dict[str, Any]:
    """Read plain data that was written by `write_values`.

    Raises:
        UserError: It is not readable, of another version, or lacks a key that is needed.
    """
    try:
        text = files.read(path, LARGEST).decode()
        values = json.loads(text, parse_constant=_refuse)
    except UserError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable record ({error})") from error
    if _depth_exceeds(values, DEEPEST):
        raise UserError(f"{path}: not a readable record (nested too deeply)")
    if not isinstance(values, dict) or values.get("version") != version or needed - values.keys():
        raise UserError(f"{path}: not a record of version {version}; run it again")
    return values


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Take what a page made of a record raises for a fault of the record.

    For records of this project's own, of which `read_as` checks no more than the types of fields.

    Raises:
        UserError: Anything was raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: not a record that makes a page ({reason})") from error


def _depth_exceeds(values: Any, most: int) -> bool:
    """Whether lists and mappings lie deeper in each other, asked level by level."""
    level: list[Any] = [[values]]
    for _ in range(most + 1):
        lists = [each.values() if isinstance(each, dict) else each for each in level]
        level = [inner for each in lists for inner in each if isinstance(inner, (dict, list))]
    return bool(level)


def read_all(folder: Path) -> list[Record]:
    """Read every record below a folder, in the order of their paths.

    Raises:
        UserError: One of them is not readable.
    """
    paths = sorted(folder.glob("*.json")) + sorted(folder.glob("*/record.json"))
    return [read(path) for path in paths]
