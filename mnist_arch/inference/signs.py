"""Signs in a number that are no digits: slashes, dots, commas and dashes, told by their shape."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # (h, w)
Box = tuple[int, int, int, int]  # top, left, bottom, right, the last two exclusive

SLASH, DASH, DOT, COMMA = "/", "-", ".", ","
DIRT = ""  # too small to be a digit, and none of these

# Shares of a digit's height.
TALL = 0.6  # least height of a digit
SMALL = 0.45  # greatest height of dots, commas and dashes
NARROW = 0.35  # greatest width of dots and commas
LONG = 0.14  # least width of a dash
LOW = 0.72  # where the middle of a dot or comma is, from the top; dashes are above
HIGH = 0.25  # where that of a dash is
BELOW = 0.09  # how far a comma reaches below the digits
CURVED = 0.02  # how far a straight stroke may stray

# A slash leans and is longer than digits: both count, in these units.
LEAN = 20.0  # degrees
LONGER = 0.15  # of a digit's height
UPRIGHT = 8.0  # degrees: a stroke that leans less is a 1
SURE_ONE, SURE_SLASH = 1.15, 1.4  # sums of both; between them it may be either


def names(masks: Sequence[Mask]) -> list[tuple[str | None, bool]]:
    """Name signs of a number, given from left to right: None for a digit, or the sign, or DIRT.

    With each name comes whether it may be a 1 as well as a slash.
    """
    boxes = [box(mask) for mask in masks]
    tallest = max((bottom - top for top, _, bottom, _ in boxes), default=0)
    tall = [each for each in boxes if each[2] - each[0] > TALL * tallest]
    top, _, bottom, _ = np.median(np.array(tall or [(0, 0, 1, 1)]), axis=0)
    named = []
    for place, mask in enumerate(masks):
        inside = 0 < place < len(masks) - 1
        name = _small(boxes[place], top, bottom)
        slash = _slash(mask, bottom - top) if name is None and inside else 0.0
        named.append((SLASH if slash > SURE_SLASH else name, SURE_ONE < slash <= SURE_SLASH))
    return named


def _small(place: Box, top: float, bottom: float) -> str | None:
    """Name a sign by its box, between the top and bottom of the digits."""
    height, width = (end - start for start, end in zip(place[:2], place[2:], strict=True))
    tall = bottom - top
    middle = ((place[0] + place[2]) / 2 - top) / tall
    if height > SMALL * tall:
        return None
    if width > max(1.4 * height, LONG * tall) and HIGH < middle < LOW:
        return DASH
    if width < NARROW * tall and middle > LOW:
        return COMMA if place[2] - bottom > BELOW * tall and height > width else DOT
    return None if max(height, width) > tall / 3 else DIRT


def _slash(mask: Mask, tall: float) -> float:
    """Return by how much a stroke is longer and leans more than a 1; 0 if it is not straight."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 2:
        return 0.0
    values, axes = np.linalg.eigh(np.cov(np.stack([rows, columns])))
    across, along = np.sqrt(values.clip(0))
    length = np.sqrt(12) * along
    thickness = len(rows) / max(length, 1)
    if across > 1.15 * thickness / np.sqrt(12) + CURVED * tall:
        return 0.0
    down, right = axes[:, 1] * np.sign(axes[0, 1] or 1)
    lean = float(np.degrees(np.arctan2(-right, down)))
    if lean < UPRIGHT:
        return 0.0
    top, _, bottom, _ = box(mask)
    return lean / LEAN + max(0.0, (bottom - top) / tall - 1) / LONGER


def box(mask: Mask) -> Box:
    """Return top, left, bottom and right of what is True, the last two exclusive."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
