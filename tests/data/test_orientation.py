"""Digits that lie on their sides are known from those that stand, by MNIST's training digits."""

from pathlib import Path

import pytest
import torch

from mnist_arch.data import idx, sources
from mnist_arch.data.orientation import lies_on_its_side
from mnist_arch.data.splits import Split
from tests.data.test_sources import NAMES, write


@pytest.fixture(scope="module")
def digits() -> Split:
    """4,000 of MNIST's training digits."""
    return sources.load("mnist_5k", Path("unused")).train


def test_a_hundred_digits_tell_whether_they_lie(digits: Split) -> None:
    order = torch.randperm(4_000, generator=torch.Generator().manual_seed(0))
    for part in order.split(100):
        images, labels = digits.images[part], digits.labels[part]
        assert not lies_on_its_side(Split(images, labels))
        assert lies_on_its_side(Split(images.transpose(2, 3), labels))


def test_mirrored_digits_stand_as_upright_ones_do(digits: Split) -> None:
    for dims in ([3], [2], [2, 3]):
        assert not lies_on_its_side(Split(digits.images.flip(dims), digits.labels))


def test_what_says_nothing_is_not_taken_for_lying() -> None:
    blank = torch.zeros(100, 1, 28, 28, dtype=torch.uint8)
    assert not lies_on_its_side(Split(blank, torch.arange(100) % 10))
    wide = blank.clone()
    wide[:, :, 12:16, 4:24] = 255  # whatever it is, it is wider than tall in every class
    assert not lies_on_its_side(Split(wide, torch.arange(100) % 10))


def test_ones_own_files_that_lie_are_warned_of(
    tmp_path: Path, digits: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, lying in (("upright", False), ("lying", True)):
        images = digits.images[::10, 0]
        images = images.transpose(1, 2).contiguous() if lying else images
        labels = digits.labels[::10].to(torch.uint8)
        files = [idx.encode(each.numpy()) for each in (images, labels)] * 2
        write(tmp_path / name, dict(zip(NAMES, files, strict=True)))
        sources.load("idx", tmp_path / name)
        told = capsys.readouterr().err
        assert (told.count("\n"), "data=emnist_digits" in told) == (lying, lying)
