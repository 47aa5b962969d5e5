"""A picture of a digit, however it was made -> the 28x28 that MNIST would have made of it.

LeCun et al. 1998, section III-A: the bilevel digits of NIST were size-normalised to fit a 20x20
box while preserving their aspect, which made them grey by anti-aliasing, and centred in 28x28 by
their centre of mass. Pictures are not bilevel and not clean: the ink has to be found first. The
constants were set by eye and trial on digits of MNIST's 60,000, never by its test digits;
docs/reading.md says what each step is worth.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mnist_arch.errors import UserError

SIDE, BOX, CENTRE = 28, 20, 14  # pixels; MNIST's centres of mass are at 14, counted from 0
WORKING_SIDE = 512  # pixels: larger pictures are reduced first
LIGHT_SIDE = 96  # pixels of the reduced picture in which light and shadow are looked for
SMOOTHING = 1 / 8  # of what would be a pixel of 28, less one: the blur by which ink is looked for
FAINTEST = 0.06  # contrast of ink, of the whole range of levels, below which a picture is blank
NOISE = 5  # times the background's deviation: ink must stand out so far
EDGE = 0.1  # of the ink's contrast: what is fainter is no part of a stroke
SHARPNESS, RADIUS = 1.0, 2.0  # of pictures larger than 28, and pixels of 28: NIST's were bilevel
GAP = 0.12  # of the height of the largest part: parts of one digit are no farther apart
SPECK = 0.03  # of the ink of the largest part: smaller ones are dirt
STROKES = (1.9, 5.6)  # pixels of 28: 1 % of MNIST's digits are thinner, 1 % bolder
STROKE = 3.1  # pixels of 28: the median of MNIST's, given to strokes outside of that range
SECOND = 0.2  # of the ink: another group as large as that is another sign
MOST_PARTS = 12  # of signs; more is no writing

BLANK, SEVERAL = "nothing written", "several signs"  # why a picture may be no digit

Levels = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Steps:
    """Which steps are taken; leaving one out shows what it is worth."""

    polarity: bool = True
    background: bool = True
    noise: bool = True
    largest_group: bool = True
    fit_to_box: bool = True
    keep_aspect: bool = True
    antialias: bool = True
    centre_by_mass: bool = True
    sharpness: bool = True
    stroke_weight: bool = True


ALL_STEPS = Steps()


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network is to see of a picture, and what was found on the way.

    Attributes:
        image: (28, 28) uint8 pixel levels, 0 background to 255 ink.
        ink: "dark" or "light", against its background.
        box: Top, left, bottom, right of the ink, in pixels of the picture, the last two beyond it.
        doubts: Why it may be no digit: BLANK, SEVERAL; mostly none.
    """

    image: NDArray[np.uint8]
    ink: str
    box: Box
    doubts: tuple[str, ...] = ()


def prepare(pixels: NDArray[np.generic], steps: Steps = ALL_STEPS) -> Prepared:
    """(H, W) grey levels, 0..255, or of 16 bits if their type is uint16 -> what a network sees.

    Raises:
        UserError: It is not a two-dimensional array of such levels.
    """
    ink, dark, scale = _ink(pixels, steps)
    groups = _groups(ink, steps)
    name = "dark" if dark else "light"
    if not groups:
        blank = np.zeros((SIDE, SIDE), np.uint8)
        return Prepared(blank, name, (0, 0, *pixels.shape), (BLANK,))
    weights = [ink[group].sum() for group in groups]
    largest = int(np.argmax(weights))
    shown = groups[largest] if steps.largest_group else np.any(groups, axis=0)
    made = _made(ink, shown, name, scale, steps)
    others = sum(weights) - weights[largest]
    several = (SEVERAL,) if others > SECOND * weights[largest] else ()
    return replace(made, doubts=(*several, *made.doubts))


def prepare_each(pixels: NDArray[np.generic], steps: Steps = ALL_STEPS) -> list[Prepared]:
    """(H, W) grey levels of some digits side by side -> each of them, from left to right.

    Raises:
        UserError: It is not a two-dimensional array of finite numbers.
    """
    ink, dark, scale = _ink(pixels, steps)
    name = "dark" if dark else "light"
    groups = _groups(ink, steps)
    tallest = max((_height(group) for group in groups), default=0)
    signs = [group for group in groups if _height(group) > tallest / 3]
    signs.sort(key=lambda group: ndimage.center_of_mass(group)[1])
    return [_made(ink, sign, name, scale, steps) for sign in signs]


def _ink(pixels: NDArray[np.generic], steps: Steps) -> tuple[Levels, bool, float]:
    """Find how much ink there is: (h, w), 0 to about 1; whether it is dark; picture / working."""
    levels = _levels(pixels)
    reduction = max(1.0, max(levels.shape) / WORKING_SIDE)
    if reduction > 1:
        height, width = (max(1, round(side / reduction)) for side in levels.shape)
        levels = _resized(levels, height, width, Image.Resampling.BOX)
    height, width = levels.shape
    reduced = max(1.0, max(height, width) / LIGHT_SIDE)
    size = max(1, round(height / reduced)), max(1, round(width / reduced))
    small = _resized(levels, *size, Image.Resampling.BOX)
    paper = _surface(small) if steps.background else np.full_like(small, np.median(small))
    dark = bool(((small - paper) ** 3).sum() < 0) if steps.polarity else False
    sign = -1 if dark else 1
    for _ in range(2 if steps.background else 0):
        paper = paper + sign * _local(sign * (small - paper))
    paper = _resized(paper, height, width, Image.Resampling.BILINEAR)
    return sign * (levels - paper), dark, reduction


def _levels(pixels: NDArray[np.generic]) -> Levels:
    """(H, W) of any type -> levels from 0 to 1."""
    whole = np.asarray(pixels)
    if whole.ndim != 2 or not whole.size or whole.dtype.kind not in "buif":
        raise UserError(
            f"a picture of shape {whole.shape} and type {whole.dtype}: expected (height, width) "
            "grey levels"
        )
    levels = whole.astype(np.float64)
    if not np.isfinite(levels).all():
        raise UserError("a picture with levels that are not finite numbers")
    if whole.dtype == np.bool_:
        return levels
    if whole.dtype == np.uint16:
        return levels / 65535
    if levels.min() < 0 or levels.max() > 255 or 0 < levels.max() <= 1:
        raise UserError(
            f"a picture with levels from {levels.min():g} to {levels.max():g}: expected 0 to 255"
        )
    return levels / 255


def _surface(levels: Levels) -> Levels:
    """Fit light that varies slowly over a picture: a parabola through its rim's middle levels."""
    height, width = levels.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    rim = np.maximum(abs(x), abs(y)) > 0.75
    if rim.sum() < 50:  # too few to tell light from ink
        return np.full_like(levels, np.median(levels[rim]))
    step = max(1, int(rim.sum()) // 4000)
    known, values = terms[rim][::step], levels[rim][::step]
    coefficients = np.array([np.median(values), 0, 0, 0, 0, 0])
    for _ in range(8):  # least absolute deviations, by weights
        weights = 1 / np.maximum(abs(values - known @ coefficients), 1e-3)
        scaled = known * weights[:, None]
        coefficients = np.linalg.lstsq(scaled.T @ known, scaled.T @ values, rcond=1e-9)[0]
    surface: Levels = terms @ coefficients
    return surface


def _local(ink: Levels) -> Levels:
    """Average what is no ink over a quarter of the picture: shadows that are no parabola."""
    threshold = _otsu(ink)
    paper = ~ndimage.binary_dilation(ink > threshold / 2, iterations=max(1, max(ink.shape) // 56))
    sigma = max(ink.shape) / 12
    weight = ndimage.gaussian_filter(paper.astype(np.float64), sigma, truncate=3)
    level = ndimage.gaussian_filter(np.where(paper, ink, 0), sigma, truncate=3)
    found: Levels = level / np.maximum(weight, 0.02)
    return found


def _otsu(values: Levels) -> float:
    """Return the threshold between ink and paper that separates the two best (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = values.size - below
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(np.where(above > 0, between, -1))])


def _groups(ink: Levels, steps: Steps) -> list[Mask]:
    """Return the (h, w) masks of strokes that belong together."""
    sigma = SMOOTHING * max(0, max(ink.shape) / SIDE - 1) if steps.noise else 0
    smooth = ndimage.gaussian_filter(ink, sigma)
    threshold = _otsu(smooth)
    strong = smooth > threshold
    if not strong.any():
        return []
    contrast = float(np.median(smooth[strong]))
    deviation = 1.4826 * float(np.median(abs(smooth[~strong])))
    if contrast < max(FAINTEST, NOISE * deviation):
        return []
    edge = max(EDGE * contrast, NOISE * deviation / 2) if steps.noise else threshold
    every = ndimage.binary_propagation(strong, np.ones((3, 3)), smooth > min(edge, threshold))
    labels, count = ndimage.label(every, np.ones((3, 3)))
    weights = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    order = np.argsort(-weights)
    least = SPECK * weights[order[0]] if steps.noise else 0
    parts = [labels == label + 1 for label in order[:MOST_PARTS] if weights[label] > least]
    return _together(parts)


def _together(parts: list[Mask]) -> list[Mask]:
    """Join parts that are near each other, unless they stand side by side like two signs."""
    reach = GAP * max(_height(part) for part in parts)
    groups: list[Mask] = []
    for part in parts:
        near = ndimage.distance_transform_edt(~part) <= reach
        joined = [group for group in groups if (group & near).any() and not _beside(group, part)]
        groups = [group for group in groups if not any(group is each for each in joined)]
        groups.append(np.any([part, *joined], axis=0))
    return groups


def _beside(one: Mask, other: Mask) -> bool:
    """Tell whether two groups are both tall and hardly above each other."""
    (top, left, bottom, right), (top_, left_, bottom_, right_) = _box(one), _box(other)
    overlap = min(right, right_) - max(left, left_)
    tall = min(bottom - top, bottom_ - top_) > 0.6 * max(bottom - top, bottom_ - top_)
    return tall and overlap < 0.3 * min(right - left, right_ - left_)


def _box(mask: Mask) -> Box:
    """Return top, left, bottom and right of what is True; the last two lie beyond it."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _height(mask: Mask) -> int:
    """Return the longer side of a mask's box."""
    top, left, bottom, right = _box(mask)
    return max(bottom - top, right - left)


def _made(ink: Levels, shown: Mask, name: str, scale: float, steps: Steps) -> Prepared:
    """Make the 28x28 of one group of strokes."""
    box = _box(shown)
    top, left, bottom, right = box
    around = ndimage.binary_dilation(shown, np.ones((3, 3)))
    digit = np.where(around, ink, 0)[top:bottom, left:right].clip(0)
    peak = np.percentile(digit[shown[top:bottom, left:right]], 90)
    digit = (digit / max(peak, 1e-9)).clip(0, 1)
    longest = max(digit.shape)
    if longest > 2 * BOX and steps.sharpness:
        blurred = ndimage.gaussian_filter(digit, RADIUS * longest / BOX, mode="constant")
        digit = (digit + SHARPNESS * (digit - blurred)).clip(0, 1)
    if steps.fit_to_box:
        height, width = (max(1, round(BOX * side / longest)) for side in digit.shape)
        if not steps.keep_aspect:
            height = width = BOX
    else:
        height, width = (
            max(1, min(SIDE, round(SIDE * side / max(ink.shape)))) for side in digit.shape
        )
    width_of_strokes = _stroke(digit) * BOX / longest
    fine = 8
    if steps.stroke_weight and not STROKES[0] <= width_of_strokes <= STROKES[1]:
        digit = _weighted(digit, height * fine, width * fine, (STROKE - width_of_strokes) * fine)
    method = Image.Resampling.BOX if digit.shape[0] >= height else Image.Resampling.BICUBIC
    method = method if steps.antialias else Image.Resampling.NEAREST
    small = _resized(digit, height, width, method).clip(0, None)
    small = (small / max(np.percentile(small, 98), 1e-9)).clip(0, 1)
    image = np.zeros((3 * SIDE, 3 * SIDE))
    if steps.centre_by_mass:
        middle = ndimage.center_of_mass(small)
        y, x = (SIDE + CENTRE - round(each) for each in middle)
    else:
        y, x = (SIDE + (SIDE - side) // 2 for side in small.shape)
    image[y : y + small.shape[0], x : x + small.shape[1]] = small
    levels = np.rint(255 * image[SIDE : 2 * SIDE, SIDE : 2 * SIDE]).astype(np.uint8)
    original = (int(top * scale), int(left * scale), round(bottom * scale), round(right * scale))
    return Prepared(levels, name, original, ())


def _stroke(digit: Levels) -> float:
    """Return the mean width of strokes in pixels: points of a strip are w/4 from its edge."""
    zoom = max(1, round(80 / max(digit.shape)))
    padded = np.pad(digit, 1)
    size = (padded.shape[0] * zoom, padded.shape[1] * zoom)
    fine = _resized(padded, *size, Image.Resampling.BILINEAR) > 0.5
    if not fine.any():
        return 1.0
    return float(4 * ndimage.distance_transform_edt(fine)[fine].mean()) / zoom


def _weighted(digit: Levels, height: int, width: int, wider: float) -> Levels:
    """Redraw strokes ``wider`` pixels wider (or narrower), at a size of (height, width)."""
    method = Image.Resampling.BICUBIC if digit.shape[0] < height else Image.Resampling.BOX
    fine = np.pad(_resized(digit, height, width, method), 8)
    inside = fine > 0.5
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    drawn = (distance + wider / 2 + 0.5).clip(0, 1)
    if not drawn.any():
        return digit
    top, left, bottom, right = _box(drawn > 0)
    redrawn: Levels = drawn[top:bottom, left:right]
    return redrawn


def _resized(levels: Levels, height: int, width: int, method: Image.Resampling) -> Levels:
    """Resize (h, w) levels with Pillow, which averages over all pixels that it reduces."""
    picture = Image.fromarray(levels.astype(np.float32))
    return np.asarray(picture.resize((width, height), method), dtype=np.float64)
