"""What the reader practises on: drawn by seed, labelled, and by no font that it is measured by."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_arch.analysis import challenges, kinds, practice
from mnist_arch.analysis.practice import SORTS, Sheet, practised, sheets
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.models.heads import NONE

NO_DIGITS = {"letters", "signs", "scribbles", "pairs"}


@pytest.fixture(scope="module")
def fives() -> Split:
    """Some fives, of which all originals are."""
    train = sources.load("mnist_5k", Path("unused")).train
    kept = train.labels == 5
    return Split(train.images[kept], train.labels[kept])


@pytest.mark.parametrize("sort", SORTS)
def test_a_sheet_is_a_function_of_its_sort_and_number(sort: str, fives: Split) -> None:
    if sort == "papers":  # which are drawn of digits in turn
        fives = sources.load("mnist_5k", Path("unused")).train
    images, labels = practised(Sheet(sort, 0, 12), fives)
    again, other = (practised(Sheet(sort, number, 12), fives) for number in (0, 1))
    assert images.equal(again.images)
    assert labels.equal(again.labels)
    assert not images.equal(other.images)
    assert images.dtype == torch.uint8
    assert images.shape == (len(labels), 1, 28, 28)
    assert images.amax((1, 2, 3)).min() > 200
    assert set(labels.tolist()) == ({NONE} if sort in NO_DIGITS else set(labels.tolist()) - {NONE})
    if sort == "coarse":
        assert set(labels.tolist()) == {5}


def test_the_sheets_are_so_many_of_each_sort() -> None:
    for sort, count in SORTS.items():
        assert sum(each.pictures for each in sheets() if each.sort == sort) == count
    assert len({(each.sort, each.number) for each in sheets()}) == len(sheets())


def test_it_practises_with_no_font_and_no_hand_that_it_is_measured_by() -> None:
    assert challenges.SCRIPT not in practice.STROKES
    measured = {name.replace(" ", "") for name in challenges.FONTS}
    assert not any(name.startswith(tuple(measured)) for name in practice.PRINTED)
    assert not set(map(id, practice.PART.hands)) & set(map(id, kinds.HELD_OUT.hands))


def test_a_letter_of_another_font_is_another_picture() -> None:
    """All fonts are there: none is silently replaced by a default one."""
    faces = {name: practice.fonts(name, 60).getmask("R").getbbox() for name in practice.PRINTED}
    inks = [np.asarray(practice.fonts(name, 60).getmask("R")).sum() for name in practice.PRINTED]
    assert len(faces) == len(practice.PRINTED) == len(set(inks))
    strokes = {font: len(challenges.hershey(font, "R")) for font in practice.STROKES}
    assert all(strokes.values())
