"""What the reader practises on beside MNIST: digits on other papers, and what is no digit.

All are pictures that `prepare` has turned into images as it will turn those of strangers. Digits
are drawn by the kinds of paper (`kinds`), by the hands of `handwriting` but the one that is held
out, coarsely as UCI's were made, and printed. What is no digit are letters, signs, scribbles and
pairs of digits that touch. Letters and signs are those of the Hershey fonts, which are strokes,
and of two families that come with matplotlib; `challenges` asks for others.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from matplotlib import get_data_path
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_arch.analysis import challenges, kinds
from mnist_arch.analysis.handwriting import (
    ANGULAR,
    NARROW,
    ROUND,
    Ink,
    as_ink,
    cropped,
    drawn,
    side_by_side,
    written,
)
from mnist_arch.data.splits import Split
from mnist_arch.inference.predictor import pixels
from mnist_arch.inference.preprocess import prepare
from mnist_arch.models.heads import NONE

Some = TypeVar("Some")

PRINTED = (
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)
STROKES = (
    *("futural", "futuram", "rowmans", "rowmand", "rowmant", "scriptc", "cursive"),
    *("timesr", "timesrb", "timesi", "timesib", "gothgbt", "gothitt"),
)
PART = kinds.Part(
    seed=4,
    held_out=True,
    hands=(ROUND, NARROW, ANGULAR),
    originals=(0, 1),
    pens=(1, 1.5, 2, 3, 4, 6, 8, 11, 14, 20),
    slants=(-20, -14, -8, -4, 0, 6, 12, 20),
    heights=(40, 50, 65, 85, 110),
    pitches=(0.2, 0.25, 0.35, 0.45, 0.7, 1.1),
    darkness=(0.25, 0.35, 0.5, 0.6, 0.75, 0.9),
    tilts=(0, 0, 0.5, 1, 1.5),
    shadows=(0.3, 0.35, 0.45, 0.55, 0.65),
)
# Of each sort so many: the hardest papers most, a desk takes longest to draw.
SORTS = {
    "papers": 9_000,
    "hands": 5_000,
    "coarse": 4_000,
    "printed digits": 3_000,
    "letters": 12_000,
    "signs": 3_000,
    "scribbles": 3_500,
    "pairs": 2_000,
}
SEED = 0  # draws every picture
PART_OF_A_SORT = 250  # pictures that are drawn from a generator of their own


class Sheet(NamedTuple):
    """A part of one sort, drawn by itself."""

    sort: str
    number: int
    pictures: int


def sheets() -> list[Sheet]:
    """Divide all that is drawn into parts."""
    return [
        Sheet(sort, start // PART_OF_A_SORT, min(PART_OF_A_SORT, count - start))
        for sort, count in SORTS.items()
        for start in range(0, count, PART_OF_A_SORT)
    ]


def practised(sheet: Sheet, originals: Split) -> Split:
    """Draw and prepare one sheet: (N, 1, 28, 28) uint8 images, and labels 0 to 9, or `NONE`.

    Args:
        sheet: Which.
        originals: Digits of MNIST, of which some are written on other paper.

    Raises:
        UserError: The Hershey fonts are not installed.
    """
    draws = np.random.default_rng([SEED, [*SORTS].index(sheet.sort), sheet.number])
    some = _Originals(originals)
    images, labels = [], []
    for number in range(sheet.pictures):
        picture, label = _DRAWN[sheet.sort](number, some, draws)
        prepared = prepare(pixels(Image.fromarray(picture)))
        if not prepared.doubts:  # what has fallen into several parts is doubted without a network
            images.append(prepared.image)
            labels.append(label)
    return Split(torch.from_numpy(np.stack(images))[:, None], torch.tensor(labels))


class _Originals(NamedTuple):
    """Digits of MNIST to draw from."""

    split: Split

    def one(self, draws: Generator) -> tuple[NDArray[np.uint8], int]:
        """Draw an image and its digit."""
        place = int(draws.integers(len(self.split.labels)))
        return self.split.images[place, 0].numpy(), int(self.split.labels[place])


def _papers(number: int, originals: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    names = [kind for kind in kinds.DIGITS if kind != "paper on a desk" or number % 3 == 0]
    kind, truth = _one(names, draws), number % 10
    ink, height = kinds.digit(truth, originals.split, PART, draws)
    return kinds.shown(kind, kinds.on_page(ink, height, PART, draws)), truth


def _hands(number: int, _: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    truth, tool = number % 10, kinds.pen(PART, draws)
    hand = _one(PART.hands, draws)
    return _on_paper(written(str(truth), hand, tool, draws)), truth


def _coarse(_: int, originals: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    image, truth = originals.one(draws)
    turned = ndimage.rotate(image, draws.uniform(-12, 12), reshape=False, order=1)
    return challenges.smoothly_enlarged(challenges.coarsened(turned), 12), truth


def _printed_digits(number: int, _: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    return _on_paper(_glyph(str(number % 10), draws)), number % 10


def _letters(_: int, __: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    return _on_paper(_glyph(_one(challenges.LETTERS, draws), draws)), NONE


def _signs(_: int, __: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    return _on_paper(_glyph(_one(challenges.SIGNS, draws), draws)), NONE


def _scribbles(_: int, __: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    """Draw a curve through random places, smooth or with corners, with one stroke or a few."""
    curves = []
    for _stroke in range(int(draws.integers(1, 4))):
        places = draws.uniform(0, 80, (int(draws.integers(4, 12)), 2))
        smooth = draws.random() < 0.6
        curves.append(ndimage.zoom(places, (12, 1), order=3) if smooth else places)
    return _on_paper(drawn(curves, draws.uniform(2, 8))), NONE


def _pairs(_: int, originals: _Originals, draws: Generator) -> tuple[kinds.Picture, int]:
    tool = kinds.pen(PART, draws)
    if draws.random() < 0.5:
        hand = _one(PART.hands, draws)
        text = "".join(str(each) for each in draws.integers(0, 10, 2))
        signs = [written(each, hand, tool, draws) for each in text]
    else:
        drawn_ = [originals.one(draws) for _ in "12"]
        text = "".join(str(truth) for _, truth in drawn_)
        signs = [as_ink(image, tool.height, draws.uniform(1.5, 4)) for image, _ in drawn_]
    overlap = -draws.uniform(0.02, 0.15) * tool.height
    return _on_paper(side_by_side(signs, text, tool, [overlap])), NONE


_DRAWN: dict[str, Callable[[int, _Originals, Generator], tuple[kinds.Picture, int]]] = {
    "papers": _papers,
    "hands": _hands,
    "coarse": _coarse,
    "printed digits": _printed_digits,
    "letters": _letters,
    "signs": _signs,
    "scribbles": _scribbles,
    "pairs": _pairs,
}


def fonts(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return one of `PRINTED`, so many pixels high."""
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", f"{name}.ttf"), size)


def _one(some: Sequence[Some], draws: Generator) -> Some:
    """Draw one of some."""
    return some[int(draws.integers(len(some)))]


def _on_paper(ink: Ink) -> kinds.Picture:
    """Lay ink on clean paper with a margin."""
    margin = max(4, round(0.3 * max(ink.shape)))
    return kinds.pixels(1 - 0.9 * np.pad(ink, margin))


def _glyph(sign: str, draws: Generator) -> Ink:
    """Write a sign in one of the fonts, turned and slanted a little."""
    height = float(draws.uniform(35, 80))
    angle = np.radians(draws.uniform(-10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.array([[1, draws.uniform(-0.25, 0.25)], [0, 1]]) @ turn
    if draws.random() < 0.5:
        strokes = challenges.hershey(_one(STROKES, draws), sign)
        width = draws.uniform(0.03, 0.12) * height
        return cropped(drawn([height * stroke @ matrix.T for stroke in strokes], width))
    font = fonts(_one(PRINTED, draws), round(height))
    side = round(2.2 * height)
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).text((side // 2, side // 2), sign, 255, font, anchor="mm")
    values, middle = np.asarray(picture, np.float64) / 255, np.full(2, side / 2)
    return cropped(ndimage.affine_transform(values, matrix, middle - matrix @ middle, order=1))
