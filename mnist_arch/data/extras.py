"""Images that a recipe trains on beside a data set: two IDX files; a label may be `NONE`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mnist_arch import files
from mnist_arch.data import idx, sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.heads import NONE

IMAGES, LABELS = "extra-images-idx3-ubyte", "extra-labels-idx1-ubyte"


def folder(word: str) -> Path:
    """Return the folder that a word names: a path, or a name below the cache of data."""
    path = sources.folder_of(word)
    return path if len(path.parts) > 1 else sources.default_root() / path


def write(folder: Path, parts: Sequence[Split]) -> None:
    """Write images and labels, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    files.write(folder / IMAGES, idx.encode(images[:, 0]))
    files.write(folder / LABELS, idx.encode(labels.astype(np.uint8)))


def read(folder: Path) -> Split:
    """Read what `write` wrote.

    Raises:
        UserError: There is nothing, or it is not that.
    """
    if not (folder / IMAGES).exists():
        raise UserError(
            f"recipe.extra: no {IMAGES} in {folder}; those of the reader are drawn by "
            "python -m experiments.reader"
        )
    images = idx.read(folder / IMAGES, idx.IMAGES).values
    labels = idx.read(folder / LABELS, idx.LABELS).values
    if images.shape != (len(labels), 28, 28) or not len(labels) or int(labels.max()) > NONE:
        raise UserError(
            f"{folder}: images of {images.shape} with {len(labels):,} labels up to "
            f"{labels.max(initial=0)}: expected (N, 28, 28), N labels, and none above {NONE}"
        )
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))
