"""Digits and signs as pens write them: strokes of several hands, and MNIST's own as ink.

A written sign is (H, W) coverage with ink, 0 to 1, cropped to what the pen touched. A hand is a
way to shape the digits; slant, width and pen are drawn for each sign or number.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import make_interp_spline
from scipy.spatial import cKDTree

Ink = NDArray[np.float64]  # (H, W) coverage, 0 paper to 1 ink
Points = list[tuple[float, float]]  # x from 0 left to 1 right, y from 0 top to 1 bottom
Strokes = list[Points]  # through two points straight, through more a smooth curve
Hand = Mapping[str, Sequence[Strokes]]  # the shapes of each sign, one of which is drawn

WIDE = 0.6  # the width of a digit, as a share of its height


class Pen(NamedTuple):
    """How a number is written.

    Attributes:
        height: Of its digits, pixels.
        width: Of the strokes, pixels.
        slant: Degrees to the right.
    """

    height: float
    width: float
    slant: float


_SIGNS: dict[str, Sequence[Strokes]] = {
    "/": [[[(0.9, -0.1), (0.1, 1.15)]]],
    ".": [[[(0.48, 0.93), (0.53, 1.0)]]],
    ",": [[[(0.55, 0.93), (0.4, 1.2)]]],
    "-": [[[(0.15, 0.52), (0.85, 0.5)]]],
}
ROUND: Hand = _SIGNS | {
    "0": [
        [[(0.5, 0), (0.12, 0.25), (0.05, 0.6), (0.4, 1), (0.85, 0.8), (0.92, 0.4), (0.5, 0)]],
        [
            [(0.5, 0), (0.1, 0.25), (0.05, 0.6), (0.45, 1), (0.9, 0.75), (0.9, 0.35), (0.5, 0)],
            [(0.88, 0.1), (0.12, 0.92)],
        ],
    ],
    "1": [
        [[(0.5, 0), (0.5, 1)]],
        [[(0.1, 0.33), (0.58, 0)], [(0.58, 0), (0.57, 1)]],
    ],
    "2": [
        [
            [(0.08, 0.25), (0.32, 0.02), (0.72, 0.06), (0.82, 0.32), (0.5, 0.7), (0.08, 0.98)],
            [(0.08, 0.98), (0.95, 0.97)],
        ],
    ],
    "3": [
        [
            [(0.1, 0.12), (0.5, 0), (0.83, 0.22), (0.4, 0.47)],
            [(0.4, 0.47), (0.9, 0.7), (0.5, 1), (0.06, 0.88)],
        ],
    ],
    "4": [
        [[(0.2, 0), (0.1, 0.6)], [(0.1, 0.6), (0.95, 0.6)], [(0.72, 0.15), (0.68, 1)]],
        [[(0.66, 0), (0.05, 0.68)], [(0.05, 0.68), (0.95, 0.68)], [(0.66, 0), (0.64, 1)]],
    ],
    "5": [
        [
            [(0.88, 0.02), (0.25, 0.03)],
            [(0.25, 0.03), (0.17, 0.46)],
            [(0.17, 0.46), (0.6, 0.38), (0.9, 0.68), (0.55, 1), (0.08, 0.9)],
        ],
    ],
    "6": [
        [
            [
                (0.75, 0.02),
                (0.3, 0.33),
                (0.1, 0.72),
                (0.45, 1),
                (0.85, 0.77),
                (0.52, 0.52),
                (0.13, 0.72),
            ]
        ],
    ],
    "7": [
        [[(0.05, 0.02), (0.92, 0.02)], [(0.92, 0.02), (0.55, 0.5), (0.35, 1)]],
        [[(0.05, 0.04), (0.92, 0.02)], [(0.92, 0.02), (0.4, 1)], [(0.25, 0.5), (0.85, 0.47)]],
    ],
    "8": [
        [
            [
                (0.5, 0.47),
                (0.14, 0.24),
                (0.5, 0),
                (0.85, 0.24),
                (0.5, 0.47),
                (0.07, 0.75),
                (0.5, 1),
                (0.92, 0.75),
                (0.5, 0.47),
            ]
        ],
    ],
    "9": [
        [[(0.86, 0.25), (0.5, 0.52), (0.12, 0.28), (0.5, 0), (0.86, 0.25), (0.84, 0.6), (0.7, 1)]],
    ],
}
NARROW: Hand = _SIGNS | {
    "0": [
        [[(0.6, 0), (0.25, 0.3), (0.22, 0.7), (0.5, 1), (0.75, 0.7), (0.78, 0.3), (0.6, 0)]],
        [
            [(0.6, 0), (0.2, 0.3), (0.18, 0.7), (0.5, 1), (0.8, 0.7), (0.82, 0.3), (0.6, 0)],
            [(0.8, 0.15), (0.2, 0.88)],
        ],
    ],
    "1": [
        [[(0.52, 0), (0.48, 1)]],
        [[(0.15, 0.4), (0.5, 0.15), (0.6, 0)], [(0.6, 0), (0.55, 1)]],
    ],
    "2": [
        [
            [(0.15, 0.2), (0.45, 0), (0.78, 0.25), (0.5, 0.65), (0.15, 1)],
            [(0.15, 1), (0.5, 0.94), (0.88, 1)],
        ],
    ],
    "3": [
        [
            [(0.2, 0.05), (0.7, 0.05), (0.75, 0.25), (0.45, 0.42)],
            [(0.45, 0.42), (0.82, 0.65), (0.55, 0.98), (0.15, 0.95)],
        ],
    ],
    "4": [
        [[(0.3, 0.05), (0.2, 0.5)], [(0.2, 0.5), (0.85, 0.52)], [(0.65, 0), (0.6, 1)]],
        [[(0.6, 0), (0.15, 0.7)], [(0.15, 0.7), (0.9, 0.66)], [(0.6, 0.4), (0.58, 1)]],
    ],
    "5": [
        [
            [(0.3, 0), (0.25, 0.4)],
            [(0.3, 0.02), (0.8, 0)],
            [(0.25, 0.4), (0.7, 0.45), (0.78, 0.75), (0.45, 1), (0.15, 0.95)],
        ],
    ],
    "6": [
        [[(0.6, 0), (0.3, 0.4), (0.22, 0.78), (0.5, 1), (0.75, 0.8), (0.55, 0.6), (0.25, 0.75)]],
    ],
    "7": [
        [[(0.15, 0.05), (0.5, 0.03), (0.85, 0.0)], [(0.85, 0), (0.45, 1)]],
        [
            [(0.12, 0), (0.85, 0.02)],
            [(0.85, 0.02), (0.5, 0.5), (0.4, 1)],
            [(0.3, 0.45), (0.8, 0.5)],
        ],
    ],
    "8": [
        [
            [
                (0.8, 0.12),
                (0.5, 0),
                (0.25, 0.2),
                (0.5, 0.45),
                (0.8, 0.75),
                (0.5, 1),
                (0.2, 0.78),
                (0.5, 0.45),
                (0.75, 0.25),
                (0.8, 0.12),
            ]
        ],
    ],
    "9": [
        [
            [(0.75, 0.2), (0.5, 0.45), (0.25, 0.25), (0.5, 0), (0.75, 0.2)],
            [(0.75, 0.15), (0.7, 1)],
        ],
    ],
}
ANGULAR: Hand = _SIGNS | {
    "0": [
        [[(0.4, 0), (0.08, 0.4), (0.15, 0.85), (0.5, 1), (0.95, 0.6), (0.8, 0.1), (0.35, 0.02)]],
        [
            [(0.5, 0.02), (0.08, 0.4), (0.2, 0.92), (0.6, 0.98), (0.95, 0.5), (0.5, 0.02)],
            [(0.95, 0.02), (0.05, 1)],
        ],
    ],
    "1": [
        [[(0.45, 0), (0.5, 0.5), (0.47, 1)]],
        [[(0.2, 0.22), (0.6, 0)], [(0.6, 0), (0.6, 1)]],
    ],
    "2": [
        [
            [(0.05, 0.3), (0.2, 0.05), (0.7, 0), (0.85, 0.25), (0.1, 0.95)],
            [(0.1, 0.95), (0.9, 0.92)],
        ],
    ],
    "3": [
        [
            [(0.08, 0.03), (0.85, 0.02)],
            [(0.85, 0.02), (0.42, 0.4)],
            [(0.42, 0.4), (0.85, 0.55), (0.75, 0.92), (0.1, 0.96)],
        ],
    ],
    "4": [
        [[(0.15, 0.02), (0.12, 0.52)], [(0.12, 0.52), (0.9, 0.5)], [(0.8, 0), (0.75, 1)]],
        [[(0.75, 0), (0.02, 0.62)], [(0.02, 0.62), (1, 0.6)], [(0.7, 0.3), (0.66, 1)]],
    ],
    "5": [
        [
            [(0.9, 0), (0.2, 0.02)],
            [(0.2, 0.02), (0.15, 0.42)],
            [(0.15, 0.42), (0.8, 0.5), (0.75, 0.9), (0.05, 0.98)],
        ],
    ],
    "6": [
        [
            [
                (0.8, 0.05),
                (0.4, 0.1),
                (0.08, 0.6),
                (0.2, 0.95),
                (0.7, 0.98),
                (0.85, 0.65),
                (0.5, 0.5),
                (0.12, 0.62),
            ]
        ],
    ],
    "7": [
        [[(0.02, 0.08), (0.05, 0.0)], [(0.05, 0), (0.95, 0)], [(0.95, 0), (0.3, 1)]],
        [[(0.05, 0), (0.95, 0.03)], [(0.95, 0.03), (0.45, 1)], [(0.3, 0.55), (0.9, 0.55)]],
    ],
    "8": [
        [
            [
                (0.85, 0.15),
                (0.4, 0),
                (0.15, 0.2),
                (0.45, 0.42),
                (0.85, 0.7),
                (0.6, 1),
                (0.1, 0.85),
                (0.3, 0.55),
                (0.8, 0.3),
                (0.85, 0.15),
            ]
        ],
    ],
    "9": [
        [
            [(0.85, 0.1), (0.45, 0), (0.12, 0.22), (0.3, 0.48), (0.82, 0.35)],
            [(0.85, 0.05), (0.82, 0.7), (0.6, 0.95), (0.2, 0.97)],
        ],
    ],
}
LOOPED: Hand = _SIGNS | {
    "0": [
        [
            [
                (0.55, 0.05),
                (0.2, 0.15),
                (0.1, 0.55),
                (0.35, 0.95),
                (0.75, 0.9),
                (0.9, 0.5),
                (0.75, 0.1),
                (0.45, 0),
            ]
        ],
        [
            [(0.5, 0), (0.12, 0.3), (0.15, 0.75), (0.5, 1), (0.88, 0.7), (0.85, 0.25), (0.5, 0)],
            [(0.8, 0.1), (0.2, 0.9)],
        ],
    ],
    "1": [
        [[(0.05, 0.45), (0.55, 0)], [(0.55, 0), (0.5, 1)]],
        [[(0.2, 0.25), (0.55, 0)], [(0.55, 0), (0.53, 1)], [(0.25, 1), (0.82, 0.99)]],
    ],
    "2": [
        [
            [
                (0.1, 0.3),
                (0.4, 0),
                (0.8, 0.2),
                (0.65, 0.55),
                (0.2, 0.92),
                (0.12, 0.84),
                (0.3, 0.8),
                (0.6, 0.95),
                (0.92, 0.9),
            ]
        ],
    ],
    "3": [
        [
            [
                (0.12, 0.15),
                (0.45, 0),
                (0.8, 0.18),
                (0.6, 0.42),
                (0.4, 0.48),
                (0.65, 0.52),
                (0.88, 0.75),
                (0.5, 1),
                (0.1, 0.88),
            ]
        ],
    ],
    "4": [
        [[(0.15, 0.05), (0.08, 0.55)], [(0.08, 0.55), (0.9, 0.55)], [(0.65, 0.05), (0.6, 1)]],
        [[(0.7, 0), (0.1, 0.6)], [(0.1, 0.6), (0.92, 0.58)], [(0.7, 0), (0.7, 1)]],
    ],
    "5": [
        [
            [(0.2, 0.05), (0.18, 0.42)],
            [(0.18, 0.42), (0.55, 0.35), (0.85, 0.6), (0.7, 0.95), (0.1, 0.95)],
            [(0.2, 0.05), (0.9, 0)],
        ],
    ],
    "6": [
        [
            [
                (0.8, 0.05),
                (0.4, 0.15),
                (0.12, 0.6),
                (0.25, 0.95),
                (0.65, 0.98),
                (0.85, 0.7),
                (0.6, 0.5),
                (0.2, 0.65),
            ]
        ],
    ],
    "7": [
        [
            [(0.06, 0.14), (0.1, 0)],
            [(0.1, 0.02), (0.9, 0.02)],
            [(0.9, 0.02), (0.6, 0.4), (0.4, 1)],
        ],
        [
            [(0.05, 0), (0.9, 0.03)],
            [(0.9, 0.03), (0.6, 0.45), (0.48, 1)],
            [(0.35, 0.5), (0.85, 0.5)],
        ],
    ],
    "8": [
        [
            [(0.5, 0), (0.2, 0.22), (0.5, 0.45), (0.8, 0.22), (0.5, 0)],
            [(0.5, 0.45), (0.1, 0.72), (0.5, 1), (0.9, 0.72), (0.5, 0.45)],
        ],
    ],
    "9": [
        [
            [(0.8, 0.2), (0.45, 0), (0.15, 0.25), (0.4, 0.5), (0.8, 0.3)],
            [(0.82, 0), (0.8, 0.5), (0.78, 1)],
        ],
    ],
}


def written(sign: str, hand: Hand, pen: Pen, draws: Generator) -> Ink:
    """Write one sign; the points of its strokes stray by 2 % of its height."""
    shapes = hand[sign]
    strokes = shapes[int(draws.integers(len(shapes)))]
    wide = WIDE * draws.uniform(0.85, 1.15)
    lean = np.tan(np.radians(pen.slant))
    strayed = {point: draws.normal(0, 0.02, 2) for stroke in strokes for point in stroke}
    curves = []
    for stroke in strokes:
        places = np.array([np.add(point, strayed[point]) for point in stroke])
        x, y = _curve(places).T
        curves.append(np.stack([x * wide + (1 - y) * lean, y], axis=1) * pen.height)
    return drawn(curves, pen.width)


def drawn(curves: Sequence[NDArray[np.float64]], width: float) -> Ink:
    """Draw curves of (n, 2) points x, y in pixels, with a round pen and anti-aliased edges."""
    dense = np.concatenate([_dense(curve) for curve in curves])
    margin = width / 2 + 1
    dense = dense - dense.min(0) + margin
    wide, high = np.ceil(dense.max(0) + margin).astype(int)
    y, x = np.mgrid[0:high, 0:wide]
    places = np.stack([x, y], axis=-1) + 0.5
    away = cKDTree(dense).query(places, distance_upper_bound=margin)[0]
    # A pen of less than one pixel would cover only a share of it.
    return np.asarray((width / 2 - away + 0.5).clip(0, min(1.0, width)))


def as_ink(image: NDArray[np.uint8], height: float, crispness: float) -> Ink:
    """Enlarge a (28, 28) digit to a height in pixels; its edges get so many times steeper."""
    rows, columns = (np.flatnonzero(image.max(axis) > 40) for axis in (1, 0))
    digit = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    times = height / (digit.shape[0] - 2)
    size = (max(1, round(times * digit.shape[1])), max(1, round(times * digit.shape[0])))
    large = Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)
    values = np.asarray(large, dtype=np.float64) / 255
    return cropped(((values - 0.5) * crispness + 0.5).clip(0, 1))


def cropped(ink: Ink) -> Ink:
    """Crop to what the pen touched."""
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.3) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def side_by_side(signs: Sequence[Ink], text: str, pen: Pen, gaps: Sequence[float]) -> Ink:
    """Put the signs of a text beside each other, so many pixels apart; low and high as written.

    A gap below zero lets them touch.
    """
    tallest = max(sign.shape[0] for sign in signs)
    room = tallest + round(pen.height)
    left, placed = 0.0, []
    for sign, word, gap in zip(signs, text, (*gaps, 0.0), strict=True):
        middle = {"-": 0.5, ".": 0.97, ",": 1.05, "/": 0.52}.get(word, 0.5) * pen.height
        placed.append((round(room / 2 + middle - pen.height / 2 - sign.shape[0] / 2), round(left)))
        left += max(1.0, sign.shape[1] + gap)
    canvas = np.zeros((2 * room, round(left) + max(sign.shape[1] for sign in signs)))
    for sign, (top, start) in zip(signs, placed, strict=True):
        part = canvas[top : top + sign.shape[0], start : start + sign.shape[1]]
        np.maximum(part, sign, out=part)
    return cropped(canvas)


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bend a smooth curve through (n, 2) points."""
    if len(points) < 3:
        return points
    steps = np.hypot(*np.diff(points, axis=0).T)
    at = np.concatenate([[0], np.cumsum(steps)])
    spline = make_interp_spline(at, points, k=min(3, len(points) - 1))
    return np.asarray(spline(np.linspace(0, at[-1], 60)))


def _dense(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put points on a curve that are half a pixel apart at most."""
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    every = np.linspace(0, at[-1], max(2, int(2 * at[-1])))
    return np.stack([np.interp(every, at, axis) for axis in curve.T], axis=1)
