"""Where in a picture the paper is, and how bright: before ink can be told from it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from mnist_arch.inference.signs import box

Values = NDArray[np.float64]  # (h, w), 0 to 1
Mask = NDArray[np.bool_]  # (h, w)

# A sheet that does not fill the picture.
SHEET_SIDE = 192  # pixels: the longer side of the reduced picture in which it is looked for
SMALLEST = 0.06  # share of the picture's area that it has
AT_RIM = 0.3  # share of the picture's rim that it may take
SOLID = 0.9  # least share of its convex hull that it fills, with what is written on it
BARE = 0.6  # least share of its area on which nothing is written
RECTANGULAR = 0.88  # least share of the smallest rectangle around it that its hull fills
LONGEST = 3.5  # times as long as it is wide; strokes are longer
DESK = 0.1  # least contrast with what lies around it, as a share of all values
SHARP = 0.5  # least step at its edge, as a share of its contrast with what is around
WRITTEN = 0.12  # least contrast of what is written on it, likewise
EDGE = 2  # pixels of the reduced picture between its edge and what is seen of it

# A crop to the ink.
RIM_SIDE = 96  # pixels: the longer side of the reduced picture whose rim is looked at
CONTACT = 0.04  # shorter runs of ink along the rim are lines, as a share of the shorter side
LINES = 4  # so many shorter runs are those of ruled or squared paper
TOUCHING = 0.07  # least share of the rim with ink
STEP = (
    0.28  # least step at the ends of its ink, as a share of the ink's contrast; shadows have less
)
MARGIN = 0.3  # of the longer side: the paper that is put around a crop

STRIP = 32  # rows that are worked on at a time: what a cache holds

# What is brighter than all that is near is paper.
BLUR = 40  # pixels of blur for noise with a standard deviation of 1
REACH = 0.45  # of the shorter side: how far; more than any stroke is wide


def found_sheet(values: Values) -> tuple[Values, int, int]:
    """Crop to the sheet, if it does not fill the picture; its top and left in the picture.

    A sheet is a rectangle with sharp edges, on which something is written, and which is brighter
    or darker than what lies around it.
    """
    times = max(1.0, max(values.shape) / SHEET_SIDE)
    small = resized(values, scaled(values.shape, times), Image.Resampling.BOX)
    bright = small > otsu(small)
    for candidates in (bright, ~bright):
        sheet = _rectangle(candidates)
        if sheet is None or not _is_written_on(small, sheet):
            continue
        seen = ndimage.binary_erosion(sheet, iterations=EDGE)
        seen = resized(seen.astype(np.float64), values.shape, Image.Resampling.BILINEAR) > 0.5
        (top, bottom), (left, right) = (
            (int(places[0]), int(places[-1]) + 1)
            for places in (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
        )
        inside = seen[top:bottom, left:right]
        near = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        return values[top:bottom, left:right][tuple(near)], top, left
    return values, 0, 0


def _rectangle(candidates: Mask) -> Mask | None:
    """Return the largest part of a mask, filled, if it is a rectangle inside the picture."""
    if not candidates.any():
        return None
    labels = connected(candidates)
    bare = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    top, left, bottom, right = box(bare)
    place = np.s_[top:bottom, left:right]
    # Filled it grows, but not beyond its box, and takes no less of the rim: most end here.
    at_rim = rim(opened(bare, 5))  # none, where the picture is a single pixel
    if bare[place].size < SMALLEST * bare.size or at_rim.sum() > AT_RIM * at_rim.size:
        return None
    whole = np.zeros_like(bare)
    whole[place] = ndimage.binary_fill_holes(bare[place])
    if whole.sum() < SMALLEST * whole.size:
        return None
    part = opened(whole, 5)
    area = int(part.sum())
    if (part & bare).sum() < BARE * area:
        return None
    if area < SMALLEST * part.size or rim(part).mean() > AT_RIM:
        return None
    try:
        hull = ConvexHull(np.argwhere(part ^ ndimage.binary_erosion(part)))
    except QhullError:  # all on one line
        return None
    corners = hull.points[hull.vertices]
    edges = np.diff(corners, axis=0, append=corners[:1])
    along = edges / np.hypot(*edges.T)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    lengths, widths = (np.ptp(corners @ each.T, axis=0) + 1 for each in (along, across))
    best = int(np.argmin(lengths * widths))
    sides = sorted((lengths[best], widths[best]))
    solid = area > SOLID * hull.volume and hull.volume > RECTANGULAR * sides[0] * sides[1]
    return part if solid and sides[1] < LONGEST * sides[0] else None


def _is_written_on(values: Values, sheet: Mask) -> bool:
    """Tell whether a part of a picture has sharp edges and something in it."""
    inner = sheet & ~ndimage.binary_erosion(sheet, iterations=EDGE + 2)
    inner &= ndimage.binary_erosion(sheet, iterations=EDGE)
    outer = ndimage.binary_dilation(sheet, iterations=EDGE + 2)
    outer &= ~ndimage.binary_dilation(sheet, iterations=EDGE)
    if not (inner.any() and outer.any() and (~sheet).any()):
        return False
    contrast = np.median(values[sheet]) - np.median(values[~sheet])
    step = np.median(values[inner]) - np.median(values[outer])
    middle = ndimage.binary_erosion(sheet, iterations=2 * EDGE)
    if (
        abs(contrast) < DESK
        or not middle.any()
        or step * np.sign(contrast) < SHARP * abs(contrast)
    ):
        return False
    away = abs(values[middle] - np.median(values[middle]))
    noise = 1.4826 * np.median(away)
    return bool(np.quantile(away, 0.997) > max(WRITTEN * abs(contrast), 4 * noise))


def margin_added(values: Values) -> tuple[Values, int]:
    """Put paper around a crop to the ink; so many pixels wide, 0 if it is none."""
    times = max(1.0, max(values.shape) / RIM_SIDE)
    small = resized(values, scaled(values.shape, times), Image.Resampling.BOX)
    if min(small.shape) < 3:
        return values, 0
    if not np.ptp(rim(small)):  # nothing is cut
        return values, 0
    bright = small > otsu(small)
    around = _without_short_runs(rim(bright), CONTACT * min(small.shape))
    long = runs(around)
    if runs(rim(bright)) - long >= LINES:
        return values, 0
    touching = [len(np.unique(side)) == 2 for side in _sides(bright)]
    if long < 2 or sum(touching) < 3 or not TOUCHING < around.mean() < 1 - TOUCHING:
        return values, 0
    if _step_along(small, bright, around) < STEP:  # uneven light, not ink
        return values, 0
    paper = bright if bright_is_paper(bright) else ~bright
    width = round(MARGIN * max(values.shape))
    level = float(np.median(small[paper]))
    return np.pad(values, width, constant_values=level), width


def _step_along(small: Values, bright: Mask, around: Mask) -> float:
    """Return the median step where runs of the rim meet, as a share of the picture's contrast."""
    contrast = np.median(small[bright]) - np.median(small[~bright])
    steps = rim(ndimage.maximum_filter(small, 5) - ndimage.minimum_filter(small, 5))
    ends = around != np.roll(around, 1)
    return float(np.median(steps[ends]) / contrast)


def bright_is_paper(bright: Mask) -> bool:
    """Tell which of two values is the paper of a crop to the ink: most of its area and corners."""
    height, width = bright.shape
    if height > 3 * width:  # a 1: ink in the middle
        middle = bright[:, round(0.4 * width) : max(round(0.6 * width), round(0.4 * width) + 1)]
        return bool(middle.mean() < 0.5)
    high, wide = (max(1, round(0.12 * side)) for side in bright.shape)
    corners = [
        bright[y, x]
        for y in (slice(high), slice(-high, None))
        for x in (slice(wide), slice(-wide, None))
    ]
    return bool(bright.mean() + np.mean([corner.mean() for corner in corners]) > 1)


def brightest_near(values: Values) -> Values:
    """Follow the paper under dark ink, shadows with hard edges included.

    A morphological closing: whatever is darker than its surroundings and narrower than the reach
    is filled with their value; the edge between two wider areas stays where it is.
    """
    reach = max(3, round(REACH * min(values.shape)) | 1)
    large = min(values.shape) > RIM_SIDE  # noise alone would be bright
    if large:
        values = ndimage.gaussian_filter(values, BLUR * noise(values))
    values = values.astype(np.float32)  # twice as fast
    white = values == values.max()
    if _is_near_everywhere(opened(white, 3) if large else white, reach):
        return np.full(values.shape, values.max(), np.float64)
    if large:
        darkest = over_windows(np.pad(values, 1, mode="edge"), 3, np.minimum)
        values = over_windows(np.pad(darkest, 1, mode="edge"), 3, np.maximum)
    wide = np.pad(values, reach - 1, mode="edge")
    lightest = over_windows(wide, reach, np.maximum)
    return over_windows(lightest, reach, np.minimum).astype(np.float64)


def _is_near_everywhere(mask: Mask, reach: int) -> bool:
    """Tell whether each square that is as wide as the reach surely has some of a mask in it.

    If the whole rim has, only squares that it does not cut are left, and in each of them there is
    a tile of half the width.
    """
    if not rim(mask).all():
        return False
    for axis, side in enumerate(mask.shape):
        tiles = np.arange(0, side, (reach + 1) // 2)
        mask = np.logical_or.reduceat(mask, tiles, axis=axis)
    return bool(mask.all())


def over_windows(values: NDArray[Any], side: int, combine: np.ufunc) -> NDArray[Any]:
    """Combine all values of each square window: (h, w) -> (h - side + 1, w - side + 1).

    Windows grow by doubling, which for a minimum or maximum changes nothing but the time: a few
    passes instead of scipy's.
    """
    for _ in range(2):
        values = _over_rows(values, side, combine).T
    return values


def _over_rows(values: NDArray[Any], side: int, combine: np.ufunc) -> NDArray[Any]:
    length = 1
    while length < side:
        step = min(length, side - length)
        values = combine(values[:-step], values[step:])
        length += step
    return values


def connected(mask: Mask, structure: NDArray[Any] | None = None) -> NDArray[np.int32]:
    """Number the connected parts of a mask that is somewhere True; 0 is what is False."""
    top, left, bottom, right = box(mask)
    labels = np.zeros(mask.shape, np.int32)
    ndimage.label(mask[top:bottom, left:right], structure, labels[top:bottom, left:right])
    return labels


def opened(mask: Mask, side: int) -> Mask:
    """Keep what squares of an odd side cover that lie in a mask."""
    inside = over_windows(np.pad(mask, side // 2), side, np.logical_and)
    return over_windows(np.pad(inside, side // 2), side, np.logical_or)


def long_runs(mask: Mask, least: int, axis: int) -> Mask:
    """Keep what lies in runs of at least so many along an axis: an opening by a line."""
    lines = np.moveaxis(mask, axis, 0)
    if least > len(lines):
        return np.zeros_like(mask)
    starts = _over_rows(lines, least, np.logical_and)
    around = np.pad(starts, ((least - 1, least - 1), (0, 0)))
    return np.moveaxis(_over_rows(around, least, np.logical_or), 0, axis)


def noise(values: Values) -> float:
    """Estimate the standard deviation of noise (Immerkaer 1996), here by the median."""
    # Each step from row to row is seen by six of the differences below: most of them may be 0.
    steps = np.count_nonzero(values[1:] != values[:-1])
    if 6 * steps < (len(values) - 2) * (values.shape[1] - 2) / 2:
        return 0.0
    tops = range(0, max(len(values) - 2, 1), STRIP)
    strips = (values[top : top + STRIP + 2] for top in tops)
    second = np.concatenate([np.diff(np.diff(strip, 2, axis=0), 2, axis=1) for strip in strips])
    away = np.abs(second, out=second)
    return float(1.4826 * np.median(away, overwrite_input=True) / 6)


def filled(values: Values) -> Values:
    """Fill whatever is darker than all around it and not cut by the rim (a reconstruction)."""
    level = np.full_like(values, values.max())
    for side, own in zip(_sides(level), _sides(values), strict=True):
        side[:] = own
    while True:
        lower = np.maximum(ndimage.minimum_filter(level, 3), values)
        if (lower == level).all():
            return level
        level = lower


def rim(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Walk around a picture once: its outermost values, from top left clockwise."""
    top, right, bottom, left = _sides(values)
    return np.concatenate([top[:-1], right[:-1], bottom[:0:-1], left[:0:-1]])


def _sides(values: NDArray[np.generic]) -> tuple[NDArray[np.generic], ...]:
    return values[0], values[:, -1], values[-1], values[:, 0]


def runs(around: NDArray[np.generic]) -> int:
    """Count how often one of two values begins along the rim."""
    return int((around != np.roll(around, 1)).sum()) // 2


def _without_short_runs(around: NDArray[np.generic], least: float) -> Mask:
    """Turn runs of the rarer value that are shorter into the other."""
    rare = np.asarray(around, dtype=bool) == (around.mean() < 0.5)
    if not rare.all() and rare.any():
        start = int(np.argmin(rare))
        labels, _ = ndimage.label(np.roll(rare, -start))
        short = np.bincount(labels) < least
        short[0] = True
        rare = np.roll(~short[labels], start)
    return np.asarray(rare == (around.mean() < 0.5))


def otsu(values: Values) -> float:
    """Return the threshold between ink and paper that separates the two best (Otsu 1979)."""
    limits = (values.min(), values.max())
    paper = values[0, 0]  # it may be most of the picture
    counts, edges = np.histogram(values[values != paper], 256, limits)
    # The last bin has its upper edge, too.
    counts[min(np.searchsorted(edges, paper, "right") - 1, 255)] += values.size - counts.sum()
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = values.size - below
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(np.where(above > 0, between, -1))])


def scaled(shape: tuple[int, ...], divisor: float) -> tuple[int, ...]:
    """Divide height and width, to one pixel at least."""
    return tuple(max(1, round(side / divisor)) for side in shape)


def resized(values: Values, size: tuple[int, ...], method: Image.Resampling) -> Values:
    """Resize values to (height, width) with Pillow, which averages over all pixels it reduces."""
    single = values.astype(np.float32)  # what Pillow works with
    if size == values.shape:
        return single.astype(np.float64)
    picture = Image.fromarray(single)
    return np.asarray(picture.resize((size[1], size[0]), method), dtype=np.float64)
