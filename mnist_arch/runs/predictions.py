"""What a run read on the test digits, from the file that it left."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.records import Record


@dataclass(frozen=True)
class Predictions:
    """The test split as a run read it, in file order.

    Attributes:
        probabilities: (N, 10) float64, as the network reports them: ten sigmoids sum to
            anything, what RBF units lack to 1 is rejection.
        readings: (N,) int64, the digits of the greatest scores.
        labels: (N,) int64, the truth.
    """

    probabilities: Tensor
    readings: Tensor
    labels: Tensor


def read(folder: Path, record: Record) -> Predictions:
    """Read the predictions of a finished run that was tested, from its folder.

    Raises:
        UserError: They are not readable, or are not those of the record.
    """
    path = folder / "predictions.npz"
    try:
        with path.open("rb") as file, np.load(file) as saved:
            scores, digits = torch.from_numpy(saved["scores"]), torch.from_numpy(saved["labels"])
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
    if scores.shape != (record.test_images, 10) or digits.shape != (record.test_images,):
        raise UserError(f"{path}: not the {record.test_images:,} images of its record")
    readings = scores.argmax(1)
    if (errors := int((readings != digits).sum())) != record.test_errors:
        raise UserError(f"{path}: {errors:,} errors, but {record.test_errors:,} in its record")
    head = ARCHITECTURES[record.architecture].head
    return Predictions(head.probabilities(scores.double()), readings, digits)
