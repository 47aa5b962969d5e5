"""Pictures to measure reading by: digits made hard to read, and things that are no digits.

All are drawn from a numpy generator, so that a seed gives the same pictures again.
"""

from pathlib import Path

import numpy as np
from matplotlib import font_manager
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Picture = NDArray[np.uint8]  # (H, W) grey levels
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZabdefhkmnpqrty"  # without those that look like a digit
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif")
SIDE = 224  # pixels of the pictures that are no digits


def enlarged(image: Picture, draws: Generator) -> Picture:
    """Enlarge a (28, 28) digit smoothly 4 to 10 times, put it anywhere, invert every other."""
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

    The light falls off to 55 to 85 % towards one side, a shadow with a soft edge takes 0 to 30 %,
    the ink reflects 10 to 40 % of what the paper does, the noise has 2 to 8 levels' deviation.
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
    """(28, 28) digit -> (8, 8) levels 0..16, the way UCI's optical digits were made.

    Alpaydin and Kaynak 1998: the digit fills a bitmap of 32x32, of which blocks of 4x4 are counted.
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


def smoothly_enlarged(levels: NDArray[np.generic], times: int = 20) -> Picture:
    """(8, 8) levels 0..16 -> a picture ``times`` as large, with a margin of one level's width."""
    padded = np.pad(np.asarray(levels, dtype=np.float32), 1) * (255 / 16)
    side = padded.shape[0] * times
    large = Image.fromarray(padded).resize((side, side), Image.Resampling.BICUBIC)
    return np.rint(np.asarray(large).clip(0, 255)).astype(np.uint8)
