"""Records of runs that never were: only what a test names differs from a plain run of mlp."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mnist_arch.analysis.groups import Group
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record

DISTORTED = {  # the variant of experiment=distorted
    "recipe.augmentation._target_": "mnist_arch.data.augment.RandomAffine",
    "recipe.augmentation.rotation": 10,
    "recipe.augmentation.shift": 0.1,
    "recipe.augmentation.zoom": 0.1,
}


def scores(errors: int, images: int, loss: float = 0.25) -> dict[str, float]:
    return {"accuracy": 100 * (images - errors) / images, "errors": errors, "loss": loss}


def provenance(**changes: Any) -> Provenance:
    values: dict[str, Any] = {"command": "python -m experiments.run model=mlp", "commit": "c0ffee"}
    values |= {"dirty": False, "versions": {}, "data_sha256": {}}
    return Provenance(**values | changes)


def record(
    architecture: str = "mlp",
    *,
    errors: int | None = 241,
    images: int = 10_000,
    loss: float = 0.0769,
    validation_errors: int | None = None,
    validation_images: int = 6_000,
    train_errors: int = 600,
    **changes: Any,
) -> Record:
    """A finished run; ``errors`` are of the test split, None for a run that was not tested."""
    counts = {
        "train": (train_errors, 60_000),
        "validation": (validation_errors, validation_images),
    }
    splits = {name: scores(each, n) for name, (each, n) in counts.items() if each is not None}
    sizes = {name: counts[name][1] for name in splits}
    if errors is not None:
        splits["test"], sizes["test"] = scores(errors, images, loss), images
    values: dict[str, Any] = {
        "status": "finished",
        "architecture": architecture,
        "recipe": architecture,
        "data": "mnist",
        "data_title": "MNIST",
        "seed": 0,
        "variant": {},
        "parameters": 79_510,
        "split_digest": "",
        "images": sizes,
        "scores": splits,
        "confusion": None,
        "epochs": 5,
        "kept_epoch": 5,
        "checkpoint": "checkpoints/last.ckpt",
        "history": {},
        "seconds": {"training": 20.0},
        "device": "cpu, 2 threads",
        "precision": "32-true",
        "started": "2026-01-01T00:00:00+00:00",
        "provenance": provenance(),
        "config": {"data.root": None},
    }
    return Record(**values | changes)


def group(errors: Sequence[int | None], **changes: Any) -> Group:
    """Runs with so many test errors, of seeds 0, 1, ..."""
    return Group([record(errors=each, seed=seed, **changes) for seed, each in enumerate(errors)])


def run(folder: Path, architecture: str = "dense", **changes: Any) -> Path:
    """The folder of a finished run, its weights as they are drawn."""
    (folder / "checkpoints").mkdir(parents=True)
    weights = ARCHITECTURES[architecture]().state_dict()
    saved: dict[str, Any] = {"mnist_arch": {"architecture": architecture}}
    saved["state_dict"] = {f"net.{name}": value for name, value in weights.items()}
    torch.save(saved, folder / "checkpoints/last.ckpt")
    record(architecture, **changes).write(folder)
    return folder
