"""Lines that are printed on the paper: ruled and squared paper, base lines, fields, frames.

They are told from strokes by being long, straight, thin and nearly level or upright, and are
erased where no stroke crosses them, as the lines of musical staves are (Dalitz et al. 2008, "A
comparative study of staff removal algorithms": by the runs of ink across a line).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_arch.inference.paper import long_runs, noise

Values = NDArray[np.float64]  # (h, w) ink, 0 to about 1
Mask = NDArray[np.bool_]  # (h, w)

SMALLEST = 64  # pixels: the longer side of a picture that can have lines beside a digit
FAINTEST = 0.08  # least ink of a line
NOISE = 4  # least ink of a line, in standard deviations of the background
TILTS = np.radians(np.arange(-2.5, 2.51, 0.25))  # that are tried
THICKEST = 0.025  # thickness of a line, as a share of the longer side
LEAST_THICKEST = 7  # pixels: lines in small pictures are relatively thicker
VISIBLE = 0.3  # least share of a line that no stroke covers
SHORTEST = 0.3  # of the picture: length of what may be the side of a frame
ACROSS = 0.8  # of the picture: length of a line that is no frame's side
BEYOND = 0.03  # of the picture: how far a line reaches beyond the writing at both ends
NEAR = 0.015  # of the picture: how far the sides of a frame may miss each other
CROSSED = 3  # fewer lines may be the strokes of a digit that is cropped to its ink
LEAST = 0.02  # of all ink: what stays when lines are erased
LEAST_INSIDE = 0.1  # of what is left at the rim: the ink of a sign that the rim does not cut
DARKER = 1.35  # times as dark as a line: a stroke that lies on it
LEAST_STROKE = 3  # pixels of a line that are so, at least


class Line(NamedTuple):
    """A nearly level line; the upright ones are level in the transposed picture.

    Attributes:
        start: Its first column.
        end: Its last column, exclusive.
        at: Its row in the middle of the picture.
        thickness: Pixels.
        tilt: Radians.
    """

    start: int
    end: int
    at: float
    thickness: float
    tilt: float


def without_lines(ink: Values) -> Values:
    """Erase printed lines, if something else stays that the picture's rim does not cut."""
    if max(ink.shape) < SMALLEST:
        return ink
    inked = ink > max(FAINTEST, NOISE * noise(ink))
    level, upright = _printed(_candidates(inked), _candidates(inked.T), inked)
    if not level and not upright:
        return ink
    level, upright = _as_thick_as_others(level), _as_thick_as_others(upright)
    erased = _covered(level, inked, ink) | _covered(upright, inked.T, ink.T).T
    labels, count = ndimage.label(inked & ~erased, np.ones((3, 3)))
    # Where lines cross each other, each looks like a stroke that crosses the other.
    bands = _bands_of(level, inked) | _bands_of(upright, inked.T).T
    inside = np.bincount(labels[bands], minlength=count + 1) == np.bincount(labels.ravel())
    erased |= inside[labels] & (labels > 0)
    labels[erased] = 0
    weights = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    if not count or weights.max() < LEAST * ink[inked].sum():
        return ink
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    few = len(level) + len(upright) < CROSSED
    at_rim = np.isin(np.arange(1, count + 1), np.concatenate(sides))
    if not few and (weights * ~at_rim).max() > LEAST_INSIDE * weights.max():
        # On paper full of lines what the rim cuts is their shadow, or a line that was not seen.
        erased |= np.isin(labels, 1 + np.flatnonzero(at_rim))
        weights = weights * ~at_rim
    main = 1 + int(np.argmax(weights))
    if few and any((side == main).any() for side in sides):
        return ink
    across = any(_is_across(each, level, inked) for each in level)
    across = across or any(_is_across(each, upright, inked.T) for each in upright)
    if not across and not _between(labels == main, level, upright):
        return ink  # no frame: strokes of a sign that meet at corners, as printed ones do
    return np.where(erased, 0, ink)


def _between(sign: Mask, level: list[Line], upright: list[Line]) -> bool:
    """Tell whether a sign lies between two level lines, or between two upright ones."""
    for lines, axis in ((level, 1), (upright, 0)):
        places = np.flatnonzero(sign.any(axis))
        at = [each.at for each in lines]
        if len(at) > 1 and min(at) < places[0] and places[-1] < max(at):
            return True
    return False


def _candidates(inked: Mask) -> list[Line]:
    """Find level lines that are long, straight and thin; strokes may cross them."""
    width = inked.shape[1]
    shortest = round(SHORTEST * width) | 1
    thickest = max(LEAST_THICKEST, round(THICKEST * max(inked.shape)))
    thin = inked & ~long_runs(inked, thickest + 1, axis=0)
    if np.count_nonzero(thin) < shortest:
        return []
    tilt = _tilt(thin)
    level = _levelled(thin, tilt)
    near = ndimage.maximum_filter1d(_levelled(inked, tilt), 3, axis=0)  # it strays by a pixel
    lines = []
    for rows, columns in ndimage.find_objects(ndimage.label(long_runs(near, shortest, axis=1))[0]):
        part = level[rows, columns]
        present = part.any(0)
        if present.mean() < VISIBLE:
            continue
        at = rows.start + np.average(np.arange(part.shape[0]), weights=part.sum(1))
        thickness = np.quantile(part.sum(0)[present], 0.75)
        lines.append(Line(columns.start, columns.stop, float(at), float(thickness), tilt))
    return lines


def _printed(level: list[Line], upright: list[Line], inked: Mask) -> tuple[list[Line], list[Line]]:
    """Choose lines across the picture, and those that are sides of a frame."""
    both = (level, upright)
    chosen = [
        [each for each in lines if _is_across(each, lines, seen)]
        for lines, seen in ((level, inked), (upright, inked.T))
    ]
    # First sides that meet others at both ends, then sides of which one end meets such a side's.
    for own in (0, 1):
        for each in both[own]:
            if each not in chosen[own] and all(_meets(each, both[1 - own], inked.shape)):
                chosen[own].append(each)
    for own in (0, 1):
        for each in both[own]:
            if each not in chosen[own] and any(_meets(each, chosen[1 - own], inked.shape)):
                chosen[own].append(each)
    return chosen[0], chosen[1]


def _is_across(line: Line, lines: list[Line], inked: Mask) -> bool:
    """Tell whether a line runs through the picture, or below what is written.

    The bar of a 7 is as straight, but ends where the stem begins.
    """
    height, width = inked.shape
    # A tilted line may leave the picture above or below.
    rows = line.at + (np.arange(width) + 0.5 - width / 2) * np.tan(line.tilt)
    (inside,) = np.nonzero((rows > 1) & (rows < height - 2))
    reach = NEAR * width + 2
    if len(inside) and line.start <= inside[0] + reach and line.end >= inside[-1] + 1 - reach:
        return True
    if line.end - line.start < ACROSS * width:
        return False
    rest = _levelled(inked, line.tilt) & ~_bands(lines, inked.shape)
    columns = np.flatnonzero(rest.any(0))
    beyond = BEYOND * width
    return not len(columns) or bool(
        line.start < columns[0] - beyond and columns[-1] + beyond < line.end
    )


def _meets(line: Line, others: list[Line], shape: tuple[int, ...]) -> tuple[bool, bool]:
    """Tell of both ends of a line whether one of the lines across it is there."""
    reach = NEAR * max(shape) + 1
    return tuple(  # type: ignore[return-value]
        any(
            abs(end - each.at) < reach + each.thickness
            and min(abs(line.at - each.start), abs(line.at - each.end)) < reach + line.thickness
            for each in others
        )
        for end in (line.start, line.end)
    )


def _as_thick_as_others(lines: list[Line]) -> list[Line]:
    """Let no line be thicker than parallel ones: the bar of a 7 may lie on it."""
    if len(lines) < CROSSED:
        return lines
    usual = float(np.median([each.thickness for each in lines]))
    return [each._replace(thickness=min(each.thickness, usual)) for each in lines]


def _covered(lines: list[Line], inked: Mask, ink: Values) -> Mask:
    """Return what lines cover, without the strokes that cross them, or lie on them."""
    erased = np.zeros(inked.shape, bool)
    for line in lines:
        level = _levelled(inked, line.tilt)
        strokes = long_runs(level, round(line.thickness) + 3, axis=0)
        band = _bands([line], inked.shape)
        # A thin stroke crosses where ink is on both sides of the line.
        rows = np.flatnonzero(band.any(1))
        reach = 2 * round(line.thickness / 2 + 1) + 1
        above, below = (
            ndimage.maximum_filter1d(level[row] & ~band[row], reach)
            for row in (max(0, rows[0] - 1), min(len(level) - 1, rows[-1] + 1))
        )
        strokes |= band & above & below
        darkness = np.where(band, _levelled(ink, line.tilt), 0)
        usual = np.median(darkness.max(0)[line.start : line.end])
        strokes |= ndimage.binary_opening(darkness > DARKER * usual, np.ones((1, LEAST_STROKE)))
        erased |= _levelled(band & ~strokes, -line.tilt)
    return erased


def _bands_of(lines: list[Line], inked: Mask) -> Mask:
    """Return what lines take of a picture, strokes or not."""
    taken = np.zeros(inked.shape, bool)
    for line in lines:
        taken |= _levelled(_bands([line], inked.shape), -line.tilt)
    return taken


def _bands(lines: list[Line], shape: tuple[int, ...]) -> Mask:
    """Return the rows and columns that level lines take, and a pixel more."""
    bands = np.zeros(shape, bool)
    for line in lines:
        half = line.thickness / 2 + 1.5
        rows = slice(max(0, round(line.at - half)), round(line.at + half) + 1)
        bands[rows, max(0, line.start - 2) : line.end + 2] = True
    return bands


def _levelled(values: NDArray[Any], tilt: float) -> NDArray[Any]:
    """Shift columns so that lines of a tilt become level; nothing comes in from outside."""
    height, width = values.shape
    shifts = np.rint((np.arange(width) + 0.5 - width / 2) * np.tan(tilt)).astype(int)
    if not shifts.any():
        return values
    rows = np.arange(height)[:, None] + shifts
    moved = np.take_along_axis(values, rows.clip(0, height - 1), 0)
    return np.asarray(moved * ((rows >= 0) & (rows < height)))


def _tilt(thin: Mask) -> float:
    """Return the tilt at which most ink shares rows."""
    rows, columns = np.nonzero(thin)
    along = columns + 0.5 - thin.shape[1] / 2
    shared = []
    for tilt in TILTS:
        counts = np.bincount((rows - np.rint(along * np.tan(tilt)).astype(int)).clip(0))
        shared.append(int((counts**2).sum()))
    return float(TILTS[int(np.argmax(shared))])
