"""Runs that never were, and pictures, for tests."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import mnist_arch
from mnist_arch.analysis.groups import Group
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record

DISTORTED = {  # the variant of experiment=distorted
    "recipe.augmentation._target_": "mnist_arch.data.augment.RandomAffine",
    "recipe.augmentation.rotation": 10,
    "recipe.augmentation.shift": 0.1,
    "recipe.augmentation.zoom": 0.1,
}
SEVEN = [(20, 20), (90, 20), (50, 140)]
FIVE = [(90, 40), (30, 40), (30, 90), (80, 90), (90, 130), (60, 160), (20, 150)]


def provenance(**changes: Any) -> Provenance:
    """Where such a run comes from."""
    values: dict[str, Any] = {
        "command": "python -m experiments.run model=mlp",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "versions": {"python": "3.11.7", "torch": "2.15.0"},
        "data_sha256": {"t10k": "a"},
    }
    return Provenance(**values | changes)


def scores(errors: int, images: int, loss: float = 0.05) -> dict[str, float]:
    """A split's scores, as records of old have them."""
    return {"accuracy": 100 * (images - errors) / images, "errors": errors, "loss": loss}


def confusion(errors: Sequence[int], images: int) -> list[list[int]]:
    """Of so many images, as many of each class; errors by class are taken for the next class."""
    cells = np.diag([size - wrong for size, wrong in zip(sizes(images), errors, strict=True)])
    cells[range(10), [*range(1, 10), 0]] = errors
    return cells.tolist()


def sizes(images: int) -> list[int]:
    """How many images each class has."""
    return [images // 10 + (digit < images % 10) for digit in range(10)]


def by_class(errors: int, images: int) -> list[int]:
    """So many errors, in the first classes that have as many images."""
    counts = []
    for size in sizes(images):
        counts.append(min(size, errors - sum(counts)))
    return counts


def record(errors: int | Sequence[int] = 241, of: int = 10_000, /, **changes: Any) -> Record:
    """A record with so many test errors, or errors by class; changes are of its fields.

    A change of ``provenance`` may be a dictionary of some of its fields.
    """
    wrong = by_class(errors, of) if isinstance(errors, int) else list(errors)
    values: dict[str, Any] = {
        "status": "finished",
        "architecture": "mlp",
        "recipe": changes.get("architecture", "mlp"),
        "data": "mnist",
        "data_title": "MNIST",
        "seed": 0,
        "variant": {},
        "parameters": 79_510,
        "split_digest": "",
        "images": {"train": 60_000, "test": of},
        "scores": {"train": scores(600, 60_000), "test": scores(sum(wrong), of)},
        "confusion": confusion(wrong, of),
        "epochs": 5,
        "kept_epoch": 5,
        "checkpoint": "checkpoints/last.ckpt",
        "history": {},
        "seconds": {"start_up": 5.0, "data": 0.1, "training": 20.0, "evaluation": 1.0},
        "device": "cpu, 2 threads",
        "precision": "32-true",
        "started": "2026-11-21T05:25:55+00:00",
        "config": {},
    }
    changes["provenance"] = provenance(**changes.get("provenance", {}))
    return Record(**values | changes)


def untested(**changes: Any) -> Record:
    """A record of a run that left the test images unread: 60 errors of 6,000 in validation."""
    splits: dict[str, Any] = {
        "images": {"train": 54_000, "validation": 6_000},
        "scores": {"train": scores(600, 54_000), "validation": scores(60, 6_000)},
    }
    return record(**splits | {"confusion": None} | changes)


def finished_run(folder: Path, architecture: str = "mlp", **changes: Any) -> Path:
    """The folder of a finished run whose weights are as they were drawn."""
    weights = mnist_arch.build(architecture).state_dict()
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(
        {
            "mnist_arch": {"architecture": architecture},
            "state_dict": {f"net.{name}": value for name, value in weights.items()},
        },
        folder / "checkpoints/last.ckpt",
    )
    record(architecture=architecture, **changes).write(folder)
    return folder


def drawn(
    *strokes: list[tuple[int, int]],
    at: tuple[int, int] = (40, 30),
    times: float = 1,
    pen: int = 14,
) -> NDArray[np.uint8]:
    """Lines on a page of 320 x 320, light on dark."""
    page = Image.new("L", (320, 320))
    for stroke in strokes:
        points = [(at[0] + times * x, at[1] + times * y) for x, y in stroke]
        ImageDraw.Draw(page).line(points, 255, round(pen * times), joint="curve")
    return np.asarray(page)


def written(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a picture file."""
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is so large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed)


def group(errors: Sequence[int | Sequence[int]], **changes: Any) -> Group:
    """Runs with so many test errors, or errors by class, of seeds 0, 1, ..."""
    return Group([record(each, seed=seed, **changes) for seed, each in enumerate(errors)])
