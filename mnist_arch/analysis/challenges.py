"""Pictures to test a predictor with: digits in unfamiliar forms, and things that are no digits.

All are drawn from a numpy generator, so the same seed gives the same pictures.
"""

import string
from functools import cache

import numpy as np
from matplotlib import font_manager
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_arch.analysis.handwriting import drawn
from mnist_arch.errors import UserError

Picture = NDArray[np.uint8]  # (H, W) pixel values
LOOKALIKES = "OoIlSsZz"  # letters that cannot be told from digits
LETTERS = "".join(each for each in string.ascii_letters if each not in LOOKALIKES)
SIGNS = "#$%&*+<>?@^~"  # others are dots, or strokes like a 1
# Nothing is trained with these: fonts that come with matplotlib, and one of Hershey's, of strokes.
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")
SCRIPT = "scripts"
SIDE = 224  # pixels of the pictures that are no digits


def enlarged(image: Picture, draws: Generator) -> Picture:
    """Enlarge a (28, 28) digit smoothly 4 to 10 times, put it anywhere, invert half of all."""
    times = draws.uniform(4, 10)
    side = round(28 * times)
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    height, width = (round(side * draws.uniform(1, 1.8)) for _ in "hw")
    canvas = np.zeros((height, width), np.uint8)
    top, left = draws.integers(0, height - side + 1), draws.integers(0, width - side + 1)
    canvas[top : top + side, left : left + side] = np.asarray(large)
    return 255 - canvas if draws.random() < 0.5 else canvas


def photographed(image: Picture, draws: Generator) -> Picture:
    """Enlarge a (28, 28) digit likewise, as ink on paper in uneven light, blurred and noisy.

    Towards one side the light falls to 55 to 85 %, a shadow with a soft edge takes 0 to 30 % of
    it, the ink reflects 10 to 40 % as much as the paper, and the noise has a standard deviation of
    2 to 8 pixel values.
    """
    ink = enlarged(image, draws).astype(np.float64) / 255
    ink = 1 - ink if np.median(ink) > 0.5 else ink
    height, width = ink.shape
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    across, from_x, from_y = draws.uniform(0, 2 * np.pi), *draws.uniform(0, 1, 2)
    slope = (x - 0.5) * np.cos(across) + (y - 0.5) * np.sin(across)
    light = 1 - draws.uniform(0.15, 0.45) * (slope + 0.5)
    edge = (x - from_x) * np.sin(across) + (y - from_y) * np.cos(across)
    light *= 1 - draws.uniform(0, 0.3) / (1 + np.exp(-edge / draws.uniform(0.03, 0.1)))
    paper = draws.uniform(170, 245)
    picture = paper * light * (1 - ink * (1 - draws.uniform(0.1, 0.4)))
    picture = ndimage.gaussian_filter(picture, draws.uniform(0, 1.5))
    picture += draws.normal(0, draws.uniform(2, 8), picture.shape)
    return np.rint(picture.clip(0, 255)).astype(np.uint8)


def coarsened(image: Picture) -> Picture:
    """(28, 28) digit -> (8, 8) values 0..16, the way UCI's optical digits were made.

    Alpaydin and Kaynak 1998: the digit fills a bitmap of 32x32, whose blocks of 4x4 are counted.
    """
    rows, columns = (np.flatnonzero(image.max(axis) > 40) for axis in (1, 0))
    digit = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    height, width = digit.size[1], digit.size[0]
    size = (max(1, round(32 * width / max(height, width))), 32)
    size = size if height >= width else (32, max(1, round(32 * height / width)))
    bitmap = np.zeros((32, 32))
    filled = np.asarray(digit.resize(size, Image.Resampling.BICUBIC)) > 127
    top, left = (32 - filled.shape[0]) // 2, (32 - filled.shape[1]) // 2
    bitmap[top : top + filled.shape[0], left : left + filled.shape[1]] = filled
    return bitmap.reshape(8, 4, 8, 4).sum((1, 3)).astype(np.uint8)


def smoothly_enlarged(values: NDArray[np.generic], times: int = 20) -> Picture:
    """(8, 8) values 0..16 -> a picture ``times`` as large, with a margin of one value's width."""
    padded = np.pad(np.asarray(values, dtype=np.float32), 1) * (255 / 16)
    side = padded.shape[0] * times
    large = Image.fromarray(padded).resize((side, side), Image.Resampling.BICUBIC)
    return np.rint(np.asarray(large).clip(0, 255)).astype(np.uint8)


def blank(draws: Generator) -> Picture:
    """Paper in uneven light, with noise, and nothing on it."""
    return photographed(np.zeros((28, 28), np.uint8), draws)


def noise(draws: Generator) -> Picture:
    """Pixel values that are independent of each other, or blurred a little."""
    values = ndimage.gaussian_filter(draws.normal(size=(SIDE, SIDE)), draws.uniform(0, 3))
    return _stretched(values)


def letter(draws: Generator) -> Picture:
    """Print one letter that resembles no digit, dark on light."""
    return printed(LETTERS[draws.integers(len(LETTERS))], draws)


def lookalike(draws: Generator) -> Picture:
    """Print one letter that cannot be told from a digit."""
    return printed(LOOKALIKES[draws.integers(len(LOOKALIKES))], draws)


def sign(draws: Generator) -> Picture:
    """Print one sign."""
    return printed(SIGNS[draws.integers(len(SIGNS))], draws)


def written_letter(draws: Generator) -> Picture:
    """Write one letter that resembles no digit in a script, dark on light.

    Raises:
        UserError: The Hershey fonts are not installed.
    """
    height = draws.uniform(100, 180)
    strokes = hershey(SCRIPT, LETTERS[draws.integers(len(LETTERS))])
    ink = drawn([height * stroke for stroke in strokes], draws.uniform(4, 14))
    return np.rint(255 * (1 - np.pad(ink, 30))).astype(np.uint8)


@cache
def hershey(font: str, sign: str) -> list[NDArray[np.float64]]:
    """Return the strokes of a sign in a Hershey font: (n, 2) places x, y down, 1 high.

    Raises:
        UserError: The Hershey fonts are not installed.
    """
    try:
        from HersheyFonts import HersheyFonts
    except ImportError as error:
        raise UserError("the Hershey fonts: pip install 'mnist_arch[reading]'") from error
    fonts = HersheyFonts()
    fonts.load_default_font(font)
    fonts.normalize_rendering(1.0)
    curves = [np.array(stroke) * (1, -1) for stroke in fonts.strokes_for_text(sign)]
    return [curve for curve in curves if len(curve) > 1]


def printed(word: str, draws: Generator) -> Picture:
    """Print a letter or sign in one of `FONTS`, dark on light."""
    face = font_manager.findfont(
        font_manager.FontProperties(
            family=FONTS[draws.integers(3)],
            weight=("normal", "bold")[draws.integers(2)],
        )
    )
    picture = Image.new("L", (SIDE, SIDE), 255)
    font = ImageFont.truetype(face, int(draws.integers(100, 180)))
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE // 2), word, 0, font, anchor="mm")
    return np.asarray(picture)


def scribble(draws: Generator) -> Picture:
    """Draw a random curve that turns and crosses itself, dark on light."""
    turns = int(draws.integers(8, 20))
    corners = ndimage.zoom(draws.uniform(30, SIDE - 30, (turns, 2)), (20, 1), order=3)
    picture = Image.new("L", (SIDE, SIDE), 255)
    points = [(float(x), float(y)) for x, y in corners.clip(5, SIDE - 5)]
    ImageDraw.Draw(picture).line(points, 0, int(draws.integers(6, 14)), joint="curve")
    return np.asarray(picture)


def photograph(draws: Generator) -> Picture:
    """Imitate a photograph of things: 1/f noise, with edges between some surfaces."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(draws.normal(size=(SIDE, SIDE))) / frequency ** draws.uniform(1, 1.8)
    values = np.fft.ifft2(spectrum).real
    values /= values.std()
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for _ in range(int(draws.integers(1, 8))):
        angle, offset = draws.uniform(0, 2 * np.pi), draws.uniform(40, SIDE - 40, 2)
        side = (x - offset[0]) * np.cos(angle) + (y - offset[1]) * np.sin(angle)
        values += draws.normal() * (side > 0)
    return _stretched(values)


def several(digits: list[Picture], draws: Generator) -> Picture:
    """Put enlarged (28, 28) digits side by side, light on dark, at different heights."""
    times = 4
    parts = []
    for digit in digits:
        columns = np.flatnonzero(digit.max(0))
        gap = int(draws.integers(2, 6))
        inked = np.pad(digit[:, columns[0] : columns[-1] + 1], ((2, 2), (gap, 0)))
        parts.append(np.roll(inked, int(draws.integers(-2, 3)), axis=0))
    whole = Image.fromarray(np.pad(np.concatenate(parts, axis=1), 6))
    size = (times * whole.size[0], times * whole.size[1])
    return np.asarray(whole.resize(size, Image.Resampling.BICUBIC))


def _stretched(values: NDArray[np.float64]) -> Picture:
    """Stretch values over the whole range; 1 % at either end are clipped."""
    low, high = np.percentile(values, [1, 99])
    return np.rint(255 * ((values - low) / (high - low)).clip(0, 1)).astype(np.uint8)
