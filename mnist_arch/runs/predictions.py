"""What a run made of the test images, in the file that it left."""

import zipfile
import zlib
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


@dataclass(frozen=True)
class Predictions:
    """What a run made of the test split, in file order.

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


def read(folder: Path, record: Record) -> Predictions:
    """Read the predictions of a finished run that was tested, from its folder.

    Raises:
        UserError: They are not readable, or are not those of the record.
    """
    if not record.tested:
        raise UserError(f"{folder}: left the test images unread (test=false)")
    path = folder / "predictions.npz"
    try:
        with path.open("rb") as file, np.load(file) as saved:
            scores, labels = torch.from_numpy(saved["scores"]), torch.from_numpy(saved["labels"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        RuntimeError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(f"{path}: no readable test scores; run it again ({error})") from error
    images = record.images["test"]
    if scores.shape != (images, 10) or labels.shape != (images,):
        raise UserError(f"{path}: not the {images:,} images of its record")
    predicted = scores.argmax(1)
    expected = record.scores["test"]["errors"]
    if (errors := int((predicted != labels).sum())) != expected:
        raise UserError(f"{path}: {errors:,} errors, but {expected:,} in its record")
    head = ARCHITECTURES[record.architecture].head
    return Predictions(head.probabilities(scores.double()), predicted, labels)
