"""What a run made of the images that judge it, in the file that it left."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.records import Record
from mnist_arch.runs.scoring import Scored

# Bytes, as they are and unpacked: 48 for each image, of which QMNIST, MNIST's largest relative,
# has 60,000 to test on.
LARGEST = 50_000_000


@dataclass(frozen=True)
class Predictions:
    """What a run made of the test split, in file order, or of the validation split.

    Attributes:
        probabilities: (N, 10) float64, as the network reports them: ten sigmoids sum to
            anything, what RBF units lack to 1 is rejection.
        predicted: (N,) int64, the classes of the greatest scores.
        labels: (N,) int64, the truth.
    """

    probabilities: Tensor
    predicted: Tensor
    labels: Tensor


def write(folder: Path, scored: Scored) -> None:
    """Write predictions.npz atomically into a run's folder."""
    with files.whole(folder / "predictions.npz") as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, scores=scored.scores, labels=scored.labels)


def read(folder: Path, record: Record, *, untested: bool = False) -> Predictions:
    """Read the predictions of a finished run from its folder.

    Those of a run that left the test images unread are of its validation images; for them say
    ``untested``.

    Raises:
        UserError: They are not readable, or are not those of the record.
    """
    if not (record.tested or untested):
        raise UserError(f"{folder}: left the test images unread (test=false)")
    path = folder / "predictions.npz"
    try:
        scores, labels = _arrays(path)
    except UserError:
        raise
    # numpy parses headers as Python: they can raise anything.
    except Exception as error:
        raise UserError(f"{path}: no readable scores; run it again ({error})") from error
    split = record.judged_on
    images = record.images.get(split, 0)
    if scores.shape != (images, 10) or labels.shape != (images,):
        raise UserError(f"{path}: not the {images:,} images of its record")
    if not scores.isfinite().all() or not ((labels >= 0) & (labels <= 9)).all():
        raise UserError(f"{path}: no scores: not all are finite, or not all labels digits")
    predicted = scores.argmax(1)
    expected = record.scores[split]["errors"]
    if (errors := int((predicted != labels).sum())) != expected:
        raise UserError(f"{path}: {errors:,} errors, but {expected:,} in its record")
    head = ARCHITECTURES[record.architecture].head
    return Predictions(head.probabilities(scores.double()), predicted, labels)


def _arrays(path: Path) -> tuple[Tensor, Tensor]:
    """Return (N, 10) float32 scores and (N,) int64 labels, or arrays of any other shape.

    Raises:
        ValueError: They are not of these types, or too large.
    """
    files.plain(path, LARGEST)
    with zipfile.ZipFile(path) as parts:
        if sum(each.file_size for each in parts.infolist()) > LARGEST:
            raise ValueError(f"unpacked, larger than {LARGEST / 1e6:,.0f} MB")
    with path.open("rb") as file, np.load(file) as saved:
        scores, labels = saved["scores"], saved["labels"]
    kinds = [getattr(each, "dtype", None) for each in (scores, labels)]  # of no array: bytes
    if kinds != [np.float32, np.int64]:
        raise ValueError("no float32 scores and int64 labels")
    return torch.from_numpy(scores), torch.from_numpy(labels)
