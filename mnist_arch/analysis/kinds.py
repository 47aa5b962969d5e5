"""Pictures of one written digit, or a number, by the kind of what it is written on.

Each kind is drawn in two ways while the reader is built, DEVELOPMENT and REHEARSAL, and in one
that is only measured, HELD_OUT, with another hand, other pens, slants and pitches, and the test
digits. The last two have variants of a kind that the first has not (a field that is open above, a
note darker than its desk). Every draw comes from a numpy generator, so the same seed gives the
same pictures.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from mnist_arch.analysis.handwriting import (
    ANGULAR,
    LOOPED,
    NARROW,
    ROUND,
    Hand,
    Ink,
    Pen,
    as_ink,
    cropped,
    side_by_side,
    written,
)
from mnist_arch.data.splits import Split

Picture = NDArray[np.uint8]  # (H, W), or (H, W, 4) with transparency
Values = NDArray[np.float64]  # (H, W) light that comes back, 0 to 1


class Part(NamedTuple):
    """What pictures are drawn from; a value is one of a few, so that parts share none.

    Attributes:
        seed: Of all draws.
        held_out: Whether variants are drawn that the other part has not.
        hands: Shapes of signs.
        originals: Between which shares of MNIST's digits of a class its own are.
        pens: Widths of strokes, pixels.
        slants: Degrees.
        heights: Of digits, pixels.
        pitches: Of ruled and squared paper, as a share of a digit's height.
        darkness: Of printed lines, as a share of the ink's.
        tilts: Of printed lines and sheets, degrees.
        shadows: Light that is left in a shadow, as a share.
    """

    seed: int
    held_out: bool
    hands: tuple[Hand, ...]
    originals: tuple[float, float]
    pens: tuple[float, ...]
    slants: tuple[float, ...]
    heights: tuple[int, ...]
    pitches: tuple[float, ...]
    darkness: tuple[float, ...]
    tilts: tuple[float, ...]
    shadows: tuple[float, ...]


DEVELOPMENT = Part(
    seed=1,
    held_out=False,
    hands=(ROUND, NARROW),
    originals=(0, 0.5),
    pens=(1, 2, 4, 8, 14, 22),
    slants=(-20, -8, 0, 12),
    heights=(60, 120, 200),
    pitches=(0.2, 0.35, 0.7),
    darkness=(0.35, 0.6, 0.9),
    tilts=(0, 0, 1),
    shadows=(0.35, 0.55),
)
# Held out once, until its pictures had been looked at.
REHEARSAL = Part(
    seed=2,
    held_out=True,
    hands=(ANGULAR,),
    originals=(0.5, 1),
    pens=(1.5, 3, 6, 11, 18, 30),
    slants=(-14, -4, 6, 20),
    heights=(45, 90, 160, 270),
    pitches=(0.25, 0.45, 1.1),
    darkness=(0.25, 0.5, 0.75),
    tilts=(0, 0, 0.5, 1.5),
    shadows=(0.3, 0.45, 0.65),
)
# Of MNIST's digits its originals are the test digits, which nothing was trained on.
HELD_OUT = Part(
    seed=3,
    held_out=True,
    hands=(LOOPED,),
    originals=(0, 1),
    pens=(1.2, 2.5, 5, 9, 16, 26),
    slants=(-17, -6, 3, 16),
    heights=(50, 75, 140, 230),
    pitches=(0.3, 0.55, 0.9),
    darkness=(0.3, 0.45, 0.7),
    tilts=(0, 0, 0.75, 1.2),
    shadows=(0.4, 0.5, 0.6),
)


class Page(NamedTuple):
    """A digit on its page, before it is a picture.

    Attributes:
        ink: (H, W) coverage of the page.
        box: Top, left, bottom, right of the digit.
        height: Of the digit, pixels.
        part: What is drawn from.
        draws: The generator.
    """

    ink: Ink
    box: tuple[int, int, int, int]
    height: float
    part: Part
    draws: Generator

    def one(self, choices: Sequence[float]) -> float:
        """Draw one of a few values."""
        return choices[int(self.draws.integers(len(choices)))]


def on_page(ink: Ink, height: float, part: Part, draws: Generator) -> Page:
    """Put ink anywhere on a page that leaves 25 to 70 % of a digit's height on each side."""
    top, left, bottom, right = (round(height * draws.uniform(0.25, 0.7)) for _ in range(4))
    page = np.pad(ink, ((top, bottom), (left, right)))
    return Page(page, (top, left, top + ink.shape[0], left + ink.shape[1]), height, part, draws)


def on_paper(page: Page, *printed: Values) -> Values:
    """Lay ink and what is printed on paper: the light that comes back."""
    draws = page.draws
    paper, ink = draws.uniform(0.85, 1), draws.uniform(0.05, 0.3)
    darkness = np.maximum.reduce([page.ink, *printed])
    return paper - (paper - ink) * darkness


def line(page: Page, at: float, width: float, *, upright: bool = False, tilt: float = 0) -> Values:
    """(H, W) coverage of a line across the page, ``at`` pixels from its top or left, tilted."""
    height, width_ = page.ink.shape
    y, x = np.mgrid[0:height, 0:width_] + 0.5
    along, across = (y - height / 2, x) if upright else (x - width_ / 2, y)
    distance = abs(across - at + along * np.tan(np.radians(tilt)))
    return np.asarray((width / 2 - distance + 0.5).clip(0, 1))


def bars(page: Page, width: float, *, upright: bool, tilt: float, pitch: float) -> Values:
    """(H, W) coverage of parallel lines."""
    size = page.ink.shape[1 if upright else 0]
    places = np.arange(page.draws.uniform(0, pitch) - pitch, size + pitch, pitch)
    lines = [line(page, at, width, upright=upright, tilt=tilt) for at in places]
    return np.maximum.reduce(lines)


def plain(page: Page) -> Values:
    """Nothing but paper."""
    return on_paper(page)


def ruled(page: Page, width: float) -> Values:
    """Paper with lines; of those held out some have a margin's upright line."""
    draws, part = page.draws, page.part
    dark, tilt = page.one(part.darkness), page.one(part.tilts)
    pitch = max(8, page.height * page.one(part.pitches))
    printed = [bars(page, width, upright=False, tilt=tilt, pitch=pitch)]
    if part.held_out and draws.random() < 0.3:
        at = page.box[1] * draws.uniform(0.2, 0.6)
        printed.append(line(page, at, width, upright=True, tilt=-tilt))
    return on_paper(page, *(dark * each for each in printed))


def squared(page: Page) -> Values:
    """Paper with squares."""
    part, width = page.part, page.one((1, 2))
    dark, tilt = page.one(part.darkness), page.one(part.tilts)
    pitch = max(8, page.height * page.one(part.pitches))
    both = [
        bars(page, width, upright=up, tilt=-tilt if up else tilt, pitch=pitch)
        for up in (False, True)
    ]
    return on_paper(page, *(dark * each for each in both))


def base_line(page: Page) -> Values:
    """A line to write on, below the digit or through its foot, not quite from edge to edge."""
    draws, part = page.draws, page.part
    at = page.box[2] + page.height * draws.uniform(-0.04, 0.15)
    printed = line(page, at, page.one((1, 2, 3)), tilt=page.one(part.tilts))
    inset = round(page.ink.shape[1] * draws.uniform(0, 0.06))
    printed[:, :inset] = printed[:, printed.shape[1] - inset :] = 0
    return on_paper(page, page.one((0.6, 0.8, 1.0)) * printed)


def field(page: Page) -> Values:
    """The cell of a form or a sudoku; of those held out some are open above."""
    draws, part = page.draws, page.part
    width, (height, wide) = page.one((1, 2, 3, 4)), page.ink.shape
    (top, left), (bottom, right) = (
        [draws.uniform(0.15, 0.7) * page.box[side] for side in (0, 1)],
        [
            size - draws.uniform(0.15, 0.7) * (size - page.box[side])
            for side, size in ((2, height), (3, wide))
        ],
    )
    uprights = [line(page, at, width, upright=True) for at in (left, right)]
    levels = [line(page, at, width) for at in (top, bottom)]
    if part.held_out and draws.random() < 0.4:
        levels = levels[1:]
        for each in uprights:
            each[: round(page.box[0] + 0.5 * page.height)] = 0
            each[round(bottom) :] = 0
    return on_paper(page, *(page.one((0.7, 0.85, 1.0)) * each for each in (*uprights, *levels)))


def frame(page: Page) -> Values:
    """A frame around the digit, closed, with paper outside."""
    draws, width = page.draws, page.one((1, 2, 3, 5))
    height, wide = page.ink.shape
    top, left = (draws.uniform(0.3, 0.8) * page.box[side] for side in (0, 1))
    bottom = height - draws.uniform(0.3, 0.8) * (height - page.box[2])
    right = wide - draws.uniform(0.3, 0.8) * (wide - page.box[3])
    y, x = np.mgrid[0:height, 0:wide] + 0.5
    away = np.maximum(
        abs(x - (left + right) / 2) - (right - left) / 2,
        abs(y - (top + bottom) / 2) - (bottom - top) / 2,
    )
    return on_paper(page, page.one((0.7, 0.85, 1.0)) * (width / 2 - abs(away) + 0.5).clip(0, 1))


def tight(page: Page) -> Values:
    """Cropped to the ink, dark on light or light on dark."""
    top, left, bottom, right = page.box
    values = on_paper(page._replace(ink=page.ink[top:bottom, left:right]))
    return 1 - values if page.draws.random() < 0.5 else values


def inverted(page: Page) -> Values:
    """Light on dark, as chalk or a screen."""
    return 1 - on_paper(page)


def hard_shadow(page: Page) -> Values:
    """The sharp edge of a shadow through the digit, in light that falls off, with some noise."""
    draws, (height, width) = page.draws, page.ink.shape
    y, x = np.mgrid[0:height, 0:width]
    top, left, bottom, right = page.box
    at = draws.uniform(top, bottom), draws.uniform(left, right)
    angle = draws.uniform(0, 2 * np.pi)
    side = (x - at[1]) * np.cos(angle) + (y - at[0]) * np.sin(angle)
    shadow = expit(side / draws.uniform(0.3, 2))
    slope = draws.uniform(0, 0.35) * (side - side.min()) / (side.max() - side.min())
    light = (1 - slope) * (1 - (1 - page.one(page.part.shadows)) * shadow)
    return photographed(on_paper(page) * light, draws.uniform(0, 0.012), draws)


def on_desk(page: Page) -> Values:
    """A sheet that does not fill the photo; of those held out some are darker than the desk."""
    draws, part = page.draws, page.part
    sheet = on_paper(page)
    desk = draws.uniform(0.1, 0.45)
    if part.held_out and draws.random() < 0.3:
        sheet, desk = 0.7 * sheet, draws.uniform(0.92, 1)
    room = round(max(sheet.shape) * draws.uniform(0.8, 1.3))
    tilt = draws.uniform(-10, 10) if part.held_out else draws.uniform(-5, 5)
    inside = np.pad(np.ones(sheet.shape), room)
    paper = np.pad(sheet, room)
    inside, paper = (
        ndimage.rotate(each, tilt, reshape=False, order=1) for each in (inside, paper)
    )
    grain = ndimage.gaussian_filter(draws.normal(0, 1, inside.shape), (0.7, 12))
    grain *= draws.uniform(0, 0.04) / max(grain.std(), 1e-9)
    values = paper + (1 - inside) * (desk + grain)
    cuts = (round(room * draws.uniform(0.35, 0.95)) for _ in range(4))
    top, left, bottom, right = cuts
    values = values[top : values.shape[0] - bottom, left : values.shape[1] - right]
    return photographed(values, draws.uniform(0, 0.015), draws)


def noisy(page: Page) -> Values:
    """A poor photograph: light that falls off, blur, noise."""
    draws, (height, width) = page.draws, page.ink.shape
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    angle = draws.uniform(0, 2 * np.pi)
    slope = x * np.cos(angle) + y * np.sin(angle)
    light = 1 - draws.uniform(0.1, 0.45) * (slope - slope.min())
    values = ndimage.gaussian_filter(on_paper(page) * light, draws.uniform(0, 1.2))
    return photographed(values, page.one((0.02, 0.04, 0.06)), draws)


def photographed(values: Values, noise: float, draws: Generator) -> Values:
    """Add a sensor's noise, of that standard deviation."""
    return values + draws.normal(0, noise, values.shape) if noise else values


KINDS: dict[str, Callable[[Page], Values]] = {
    "plain": plain,
    "ruled, 1 px": lambda page: ruled(page, 1),
    "ruled, 2 px": lambda page: ruled(page, 2),
    "squared": squared,
    "base line": base_line,
    "form field": field,
    "frame": frame,
    "tight crop": tight,
    "hard shadow": hard_shadow,
    "paper on a desk": on_desk,
    "inverted": inverted,
    "noisy photo": noisy,
}
TRANSPARENT = "transparent"
DIGITS = (*KINDS, TRANSPARENT)
NUMBERS: dict[str, Callable[[Generator], str]] = {
    "dates": lambda draws: _date(draws),
    "amounts": lambda draws: (
        f"{draws.integers(1, 1000)}{'.,'[draws.integers(2)]}{draws.integers(100):02}"
    ),
    "postcodes": lambda draws: f"{draws.integers(10_000, 100_000)}",
}


def _date(draws: Generator) -> str:
    sign = "/-."[draws.integers(3)]
    day, month = draws.integers(1, 32), draws.integers(1, 13)
    year = f"{sign}{draws.integers(1950, 2050)}" if draws.random() < 0.4 else ""
    return f"{day:02}{sign}{month:02}{year}"


def pen(part: Part, draws: Generator) -> Pen:
    """Draw a pen that writes legibly: a stroke is at most a sixth as wide as a digit is high."""
    height = part.heights[draws.integers(len(part.heights))] * draws.uniform(0.9, 1.1)
    legible = [width for width in part.pens if width <= height / 6]
    slant = part.slants[draws.integers(len(part.slants))]
    return Pen(height, legible[draws.integers(len(legible))], slant)


def digit(truth: int, originals: Split, part: Part, draws: Generator) -> tuple[Ink, float]:
    """Write a digit, or take one of MNIST's as ink: (H, W) ink, its height in pixels."""
    tool = pen(part, draws)
    if draws.random() < 0.5:
        hand = part.hands[draws.integers(len(part.hands))]
        return cropped(written(str(truth), hand, tool, draws)), tool.height
    places = np.flatnonzero(originals.labels.numpy() == truth)
    start, end = (round(share * len(places)) for share in part.originals)
    places = places[start:end]
    image = originals.images[int(places[draws.integers(len(places))]), 0]
    return as_ink(image.numpy(), tool.height, draws.uniform(1.5, 4)), tool.height


def shown(kind: str, page: Page) -> Picture:
    """Make the picture of a kind."""
    if kind != TRANSPARENT:
        return pixels(KINDS[kind](page))
    colours = (250, 215, 30) if page.part.held_out else (255, 255, 240, 0)
    picture = np.full((*page.ink.shape, 4), int(page.one(colours)), np.uint8)
    picture[..., 3] = pixels(page.ink)
    return picture


def digits(kind: str, count: int, originals: Split, part: Part) -> tuple[list[Picture], list[str]]:
    """Draw so many pictures of a kind, of the digits 0 to 9 in turn, and return these too."""
    draws = np.random.default_rng([part.seed, DIGITS.index(kind)])
    pictures, truth = [], [place % 10 for place in range(count)]
    for each in truth:
        ink, height = digit(each, originals, part, draws)
        pictures.append(shown(kind, on_page(ink, height, part, draws)))
    return pictures, [*map(str, truth)]


def numbers(kind: str, count: int, part: Part) -> tuple[list[Picture], list[str]]:
    """Draw so many numbers on plain paper, each in one hand, and return their texts too."""
    draws = np.random.default_rng([part.seed, len(DIGITS) + [*NUMBERS].index(kind)])
    pictures, texts = [], [NUMBERS[kind](draws) for _ in range(count)]
    for text in texts:
        tool = pen(part, draws)
        tool = tool._replace(slant=tool.slant / 2)
        hand = part.hands[draws.integers(len(part.hands))]
        signs = [written(each, hand, tool, draws) for each in text]
        gaps = [tool.height * draws.uniform(0.1, 0.3) for _ in text[1:]]
        ink = side_by_side(signs, text, tool, gaps)
        pictures.append(pixels(plain(on_page(ink, tool.height, part, draws))))
    return pictures, texts


def held_out(kind: str, count: int, originals: Split) -> tuple[list[Picture], list[str]]:
    """Draw so many pictures of a kind, or numbers, that nothing was built by, and their texts.

    ``originals`` are digits that no network was trained on.
    """
    if kind in NUMBERS:
        return numbers(kind, count, HELD_OUT)
    return digits(kind, count, originals, HELD_OUT)


def pixels(values: Values) -> Picture:
    """(H, W) values 0 to 1 -> pixel values."""
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)
