"""Images that are trained on beside a data set, and are in no other split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_arch.data import extras, idx
from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.heads import NONE

SOME = Split(
    torch.arange(30 * 784).remainder(251).byte().view(30, 1, 28, 28), torch.arange(30) % 11
)


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    extras.write(
        tmp_path / "a",
        [Split(*(each[:10] for each in SOME)), Split(*(each[10:] for each in SOME))],
    )
    images, labels = extras.read(tmp_path / "a")
    assert images.equal(SOME.images)
    assert labels.equal(SOME.labels)
    assert labels.max() == NONE


def test_they_are_trained_on_and_neither_validated_nor_tested(tmp_path: Path) -> None:
    extras.write(tmp_path / "a", [SOME])
    own = MNISTDataModule(name="mnist_5k", batch_size=100)
    data = MNISTDataModule(name="mnist_5k", batch_size=100, extra=str(tmp_path / "a"))
    for each in (own, data):
        each.setup()
    shown = torch.cat([labels for _, labels in data.train_dataloader()])
    expected = torch.cat([own.train.labels, SOME.labels])
    assert shown.bincount().tolist() == expected.bincount().tolist()
    assert data.validation is not None
    assert own.validation is not None
    assert data.validation.images.equal(own.validation.images)
    assert data.test.images.equal(own.test.images)
    assert data.split_digest != own.split_digest


def test_a_name_is_below_the_cache_and_a_path_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_ARCH_DATA", str(tmp_path))
    assert extras.folder("reader") == tmp_path / "reader"
    assert extras.folder("some/where") == Path("some/where")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (None, None, "no extra-images-idx3-ubyte in .*; those of the reader are drawn by"),
        (np.zeros((2, 28, 28), np.uint8), np.array([1], np.uint8), "with 1 labels up to 1"),
        (np.zeros((2, 20, 20), np.uint8), np.array([1, 2], np.uint8), r"\(2, 20, 20\)"),
        (np.zeros((1, 28, 28), np.uint8), np.array([11], np.uint8), "none above 10"),
        (np.zeros((0, 28, 28), np.uint8), np.array([], np.uint8), "0 labels"),
    ],
)
def test_what_is_none_is_named(
    tmp_path: Path, images: np.ndarray | None, labels: np.ndarray | None, message: str
) -> None:
    if images is not None and labels is not None:
        (tmp_path / extras.IMAGES).write_bytes(idx.encode(images))
        (tmp_path / extras.LABELS).write_bytes(idx.encode(labels))
    with pytest.raises(UserError, match=message):
        extras.read(tmp_path)
