"""Digits on all that people write on, and signs between them: what is printed is not seen."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mnist_arch.analysis import kinds
from mnist_arch.analysis.challenges import printed
from mnist_arch.analysis.handwriting import ROUND, Pen, cropped, side_by_side, written
from mnist_arch.analysis.kinds import DEVELOPMENT, NUMBERS, on_page
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.inference.lines import without_lines
from mnist_arch.inference.pictures import read
from mnist_arch.inference.predictor import Reader
from mnist_arch.inference.preprocess import ONE_OR_SLASH, prepare, prepare_each
from mnist_arch.inference.signs import names

CASES = sorted((Path(__file__).parent / "cases").iterdir())
Image28 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def digits() -> Split:
    return sources.load("mnist_5k", Path("unused")).train


@pytest.fixture(scope="module")
def nearest(digits: Split) -> Callable[[Image28], int]:
    """What most of the five nearest of MNIST-5k's digits are: a reader that nobody trained."""
    known = ndimage.gaussian_filter(digits.images[:, 0].numpy().astype(np.float32), (0, 1, 1))
    known /= np.linalg.norm(known, axis=(1, 2), keepdims=True)

    def classify(image: Image28) -> int:
        blurred = ndimage.gaussian_filter(image.astype(np.float32), 1)
        best = np.argsort(-(known * blurred).sum((1, 2)))[:5]
        return int(np.bincount(digits.labels.numpy()[best]).argmax())

    return classify


def far(one: Image28, other: Image28) -> float:
    """The mean difference of two images, of their mean ink, blurred by a pixel."""
    first, second = (ndimage.gaussian_filter(each.astype(float), 1) for each in (one, other))
    return float(abs(first - second).sum() / max(first.sum(), 1))


def numbers(path: Path) -> str:
    """The truth is in the file's name, where a slash cannot be."""
    return path.stem.rpartition("_")[2].replace("-", "/")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_that_once_failed_is_read(path: Path, nearest: Callable[[Image28], int]) -> None:
    truth = numbers(path)
    if len(truth) == 1:
        assert str(nearest(prepare(read(path)).image)) == truth
        return
    signs = prepare_each(read(path))
    assert "".join(each.sign or str(nearest(each.image)) for each in signs) == truth
    places = [each.box for each in signs]
    assert all(left[3] <= right[1] for left, right in pairwise(places))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_reader_reads_it(path: Path) -> None:
    reader, truth = Reader(), numbers(path)
    if len(truth) == 1:
        assert reader.predict(path).text == truth
    else:
        assert reader.predict_number(path).text == truth


def test_there_are_fourteen_cases() -> None:
    assert len(CASES) == 14


@pytest.mark.parametrize("kind", kinds.DIGITS)
def test_a_digit_is_the_same_on_every_kind_of_paper(kind: str) -> None:
    """Where a line crosses a stroke, a little of it is lost; other digits differ by 1 or so.

    How many are read is measured, not tested: `experiments.reading`.
    """
    part = DEVELOPMENT._replace(pens=(4, 8, 14, 22))
    draws, same = np.random.default_rng(0), 0
    for truth in "0123456789":
        tool = kinds.pen(part, draws)
        ink = cropped(written(truth, ROUND, tool, draws))
        page = on_page(ink, tool.height, part, draws)
        expected = prepare(kinds.pixels(page.ink))
        seen = prepare(read(Image.fromarray(kinds.shown(kind, page))))
        top, left, bottom, right = page.box
        near = 0.06 * tool.height + 3
        found = seen.box == pytest.approx((top, left, bottom, right), abs=near)
        moved = kind in ("tight crop", "paper on a desk")
        same += far(expected.image, seen.image) < 0.3 and (found or moved)
    assert same >= 7


@pytest.mark.parametrize("kind", NUMBERS)
def test_signs_between_digits_are_seen_as_such(kind: str) -> None:
    pictures, texts = kinds.numbers(kind, 10, DEVELOPMENT)
    right = 0
    for picture, text in zip(pictures, texts, strict=True):
        seen = "".join(each.sign or "0" for each in prepare_each(picture))
        right += seen == re.sub(r"\d", "0", text)
    assert right >= 9


def test_a_stroke_that_may_be_a_one_or_a_slash_is_doubtful() -> None:
    """As long as a digit and leaning by 25 degrees."""
    draws, pen = np.random.default_rng(0), Pen(100, 8, 0)
    signs = [written(each, ROUND, pen, draws) for each in "25"]
    leaning = written("/", ROUND, Pen(82, 8, 4), draws)
    ink = side_by_side([signs[0], leaning, signs[1]], "2/5", pen, [25, 25])
    prepared = prepare_each(kinds.pixels(np.pad(ink, 40)))
    assert [each.doubts for each in prepared] == [(), (ONE_OR_SLASH,), ()]


def test_a_single_pixel_leans_nowhere() -> None:
    assert names([np.ones((1, 1), dtype=bool)] * 3) == [(None, False)] * 3


def test_strokes_that_meet_at_corners_are_no_frame() -> None:
    """A printed 9 or 5 has bars and a stem; nothing of it is written between two lines."""
    draws, erased = np.random.default_rng(0), 0
    for number in range(100):
        ink = cropped(1 - printed("0123456789"[number % 10], draws) / 255)
        small = Image.fromarray(ink).resize((round(50 * ink.shape[1] / len(ink)), 50))
        page = np.pad(np.asarray(small), 15)
        erased += without_lines(page) is not page
    assert erased <= 3
