"""A picture of a digit, however it was made -> the 28x28 image that MNIST would have made of it.

LeCun et al. 1998, section III-A: the black and white digits of NIST were scaled to fit a 20x20 box
with their aspect ratio kept, which made them grey by anti-aliasing, and centred in 28x28 by their
centre of mass. Pictures are neither black and white nor clean: the ink has to be found first. The
constants were set by eye and trial on digits of MNIST's 60,000, never by its test digits;
docs/reading.md says what each step is worth.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.linalg import toeplitz

from mnist_arch.errors import UserError
from mnist_arch.inference.lines import without_lines
from mnist_arch.inference.paper import (
    LINES,
    brightest_near,
    connected,
    filled,
    found_sheet,
    margin_added,
    otsu,
    resized,
    rim,
    runs,
    scaled,
)
from mnist_arch.inference.signs import DIRT, box, names

# MNIST's geometry, in pixels.
SIDE = 28  # of an image
BOX = 20  # the longer side of a digit
CENTRE = 14  # where the centre of mass lies, rows and columns counted from 0
STROKES = (1.9, 5.6)  # widths of strokes: 1 % of MNIST's digits are thinner, 1 % bolder
STROKE = 3.1  # the median width, to which strokes outside that range are redrawn

# The picture that is worked on.
WORKING_SIDE = 512  # pixels: the longer side of a larger picture is reduced to this
LONGEST = 1024  # pixels: that of a number's, whose shorter side is reduced to WORKING_SIDE
MOST_AT_ONCE = 300_000  # pixels that are reduced at a time: what a cache holds
UNSHARED = 250_000  # multiplications of one product: of 2^18 OpenBLAS shares the work
LIGHT_SIDE = 96  # pixels: that of the reduced picture from which light and shadow are estimated
UNEVEN = 0.025  # residual at the rim beyond which light is not even, as a share of all values

# Ink or not.
DARKEST = 0.1  # least value of paper, of whose light ink takes a share
SMOOTHING = 1 / 8  # standard deviation of the blur before thresholds, in pixels of a 28-pixel grid
FAINTEST = 0.06  # least contrast of ink, as a share of the range of pixel values
NOISE = 5  # least contrast of ink, in standard deviations of the background
EDGE = 0.1  # where a stroke ends: this share of the ink's contrast

# Which ink is one sign.
SPECK = 0.03  # connected parts with less than this share of the largest part's ink are dirt
MOST_PARTS = 12  # connected parts that are looked at, largest first
MOST_SIGNS = 30  # those in a number
DOT = 0.4  # of what is dirt beside a digit: a dot in a number may have so much ink
GAP = 0.12  # greatest distance of two parts of one sign, as a share of the height of all
SECOND = 0.2  # all other signs together: with this share of the largest's ink, there are several

# Enlarged digits are blurred, NIST's were not: an unsharp mask.
SHARPNESS = 1.0  # how much of the difference from the blurred digit is added
RADIUS = 2.0  # standard deviation of that blur, in pixels of the 20x20 box

# Why a picture may be no digit, or no other sign.
BLANK, SEVERAL, ONE_OR_SLASH = "nothing written", "several signs", "a 1 or a slash"

Values = NDArray[np.float64]  # (h, w)
Mask = NDArray[np.bool_]  # (h, w)
Shape = tuple[int, ...]  # height, width
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network is to see of a picture, and where that comes from.

    Attributes:
        image: (28, 28) uint8 pixel values, 0 background to 255 ink.
        ink: "dark" or "light", against its background.
        box: Top, left, bottom, right of the ink, in pixels of the picture, the last two exclusive.
        doubts: Why it may be no digit: BLANK, SEVERAL, ONE_OR_SLASH; mostly none.
        sign: A sign of a number that is no digit: "/", ".", "," or "-"; None for a digit.
    """

    image: NDArray[np.uint8]
    ink: str
    box: Box
    doubts: tuple[str, ...] = ()
    sign: str | None = None


def fitted_light(values: Values) -> Values:
    """Fit light that varies slowly: a parabola through the median values of the rim."""
    terms, known, places = _parabolas(values.shape)
    targets = values.ravel()[places]
    if len(targets) < 50 or not np.ptp(targets):  # too few to tell light from ink, or even light
        return np.full_like(values, np.median(targets))
    coefficients = np.array([np.median(targets), 0, 0, 0, 0, 0])
    for _ in range(8):  # least absolute deviations, by weights
        weights = 1 / np.maximum(abs(targets - known @ coefficients), 1e-3)
        scaled = known * weights[:, None]
        coefficients = np.linalg.lstsq(scaled.T @ known, scaled.T @ targets, rcond=1e-9)[0]
    return np.asarray(terms @ coefficients)


@lru_cache(maxsize=4)
def _parabolas(shape: Shape) -> tuple[Values, Values, NDArray[np.intp]]:
    """(h, w) -> (h, w, 6) what parabolas are sums of, (n, 6) at the rim, and where that is."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    places = np.flatnonzero(np.maximum(abs(x), abs(y)) > 0.75)
    places = places[:: max(1, len(places) // 4000)]
    return terms, terms.reshape(-1, 6)[places], places


def is_dark(values: Values) -> bool:
    """Tell whether ink is darker than the paper: what stands out from light that varies slowly.

    A shadow with a hard edge is no light of that kind. There ink counts as dark, which it mostly
    is on paper, unless the outermost shapes that the rim does not cut are light as well.
    """
    light = fitted_light(values)
    away = values - light
    dark = bool((away * away * away).sum() <= 0)  # ** takes ten times as long
    if min(values.shape) < 3:
        return dark
    uneven = np.median(abs(rim(away))) > UNEVEN * np.ptp(values)
    if uneven and runs(rim(values > otsu(values))) < LINES:
        return dark or _encloses(values) > _encloses(1 - values)
    return dark


def _encloses(values: Values) -> float:
    """Return how much darker than around shapes are, but those inside brighter ones."""
    outermost = 1 - filled(1 - values)
    return float(((filled(outermost) - outermost) ** 2).sum())


def averaged_shadow(ink: Values) -> Values:
    """Average what is no ink over a quarter of the picture: shadows that are no parabola."""
    reach = max(1, max(ink.shape) // 56)
    paper = ~ndimage.binary_dilation(ink > otsu(ink) / 2, iterations=reach)
    if not ink[paper].any():
        return np.zeros_like(ink)
    sigma = max(ink.shape) / 12
    weight = ndimage.gaussian_filter(paper.astype(np.float64), sigma, truncate=3)
    total = ndimage.gaussian_filter(np.where(paper, ink, 0), sigma, truncate=3)
    return np.asarray(total / np.maximum(weight, 0.02))


def smoothed(ink: Values, side: int) -> Values:
    """Blur noise away, as much as suits a digit that is one ``side`` of its picture high.

    A picture of 28x28 stays as it is.
    """
    sigma = SMOOTHING * max(0, side / SIDE - 1)
    if not ink.any():
        return ink
    top, left, bottom, right = box(ink != 0)
    reach = math.ceil(4 * sigma) + 1  # beyond it scipy takes nothing in; bare paper stays as it is
    seen = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    smooth = np.zeros_like(ink)
    smooth[seen] = ndimage.gaussian_filter(ink[seen], sigma)
    return smooth


def stroke_edge(contrast: float, deviation: float, threshold: float) -> float:
    """Return where strokes end, so that their anti-aliased rims belong to them."""
    return min(max(EDGE * contrast, NOISE * deviation / 2), threshold)


def least_ink(most: float) -> float:
    """Return how much ink a part has that is not dirt beside the largest."""
    return SPECK * most


def largest(signs: Sequence[Mask], weights: NDArray[np.float64]) -> Mask:
    """Choose the sign with the most ink."""
    return signs[int(np.argmax(weights))]


def sharpened(digit: Values) -> Values:
    """Sharpen a digit that is more than twice as large as MNIST's."""
    longest = max(digit.shape)
    if longest <= 2 * BOX:
        return digit
    blurred = _blurred(digit, RADIUS * longest / BOX)
    return np.asarray((digit + SHARPNESS * (digit - blurred)).clip(0, 1))


def fitted_size(digit: Shape, _: Shape) -> Shape:
    """Fit the (height, width) of a digit into the box, its aspect ratio kept."""
    return tuple(max(1, round(BOX * side / max(digit))) for side in digit)


def reweighted(digit: Values, size: Shape) -> Values:
    """Redraw strokes that are thinner or bolder than MNIST's, at 8 times the final size."""
    stroke, fine = _stroke(digit) * BOX / max(digit.shape), 8
    if STROKES[0] <= stroke <= STROKES[1]:
        return digit
    return _redrawn(digit, (size[0] * fine, size[1] * fine), (STROKE - stroke) * fine)


def antialiased(digit: Values, size: Shape) -> Values:
    """Resize a digit smoothly."""
    shrinks = digit.shape[0] >= size[0]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return resized(digit, size, method)


def corner_by_mass(digit: Values) -> Shape:
    """Return the row and column of the digit's corner that centre its mass in the image."""
    y, x = (CENTRE - round(place) for place in ndimage.center_of_mass(digit))
    return y, x


class Found(NamedTuple):
    """The ink of a picture.

    Attributes:
        ink: (h, w), 0 paper to about 1, of the part that is worked on.
        dark: Whether it is darker than the paper.
        scale: Pixels of the picture in one of these.
        corner: Row and column of this part in the reduced picture.
        size: Height and width of the picture.
    """

    ink: Values
    dark: bool
    scale: float
    corner: tuple[int, int]
    size: Shape

    def placed(self, place: Box) -> Box:
        """Turn a box in the ink into one in the picture's pixels."""
        top, left, bottom, right = (
            min(max(edge + corner, 0) * self.scale, size)
            for edge, corner, size in zip(place, 2 * self.corner, 2 * self.size, strict=True)
        )
        return int(top), int(left), round(bottom), round(right)


class Preprocessor(NamedTuple):
    """The way from a picture to images, its steps by name.

    `analysis.ablation` replaces one step after the other, which shows what each is worth.
    """

    sheet: Callable[[Values], tuple[Values, int, int]] = found_sheet
    margin: Callable[[Values], tuple[Values, int]] = margin_added
    is_dark: Callable[[Values], bool] = is_dark
    paper: Callable[[Values], Values] = brightest_near
    shadow: Callable[[Values], Values] = averaged_shadow
    lines: Callable[[Values], Values] = without_lines
    smooth: Callable[[Values, int], Values] = smoothed
    edge: Callable[[float, float, float], float] = stroke_edge
    least: Callable[[float], float] = least_ink
    choose: Callable[[Sequence[Mask], NDArray[np.float64]], Mask] = largest
    sharpen: Callable[[Values], Values] = sharpened
    size: Callable[[Shape, Shape], Shape] = fitted_size
    weigh: Callable[[Values, Shape], Values] = reweighted
    resize: Callable[[Values, Shape], Values] = antialiased
    corner: Callable[[Values], Shape] = corner_by_mass

    def prepare(self, pixels: NDArray[np.generic]) -> Prepared:
        """(H, W) pixel values, 0 to 255, or to 65,535 if they are uint16 -> what a network sees.

        Raises:
            UserError: It is not a two-dimensional array of such values.
        """
        found = self._ink(pixels)
        signs = self._signs(found.ink)
        if not signs:
            blank = np.zeros((SIDE, SIDE), np.uint8)
            return Prepared(blank, _name(found.dark), (0, 0, *pixels.shape), (BLANK,))
        weights = np.array([found.ink[sign].sum() for sign in signs])
        prepared = self._prepared(found, self.choose(signs, weights))
        others = sum(weights) - weights.max()
        return replace(prepared, doubts=(SEVERAL,) if others > SECOND * weights.max() else ())

    def prepare_each(self, pixels: NDArray[np.generic]) -> list[Prepared]:
        """(H, W) pixel values of digits side by side -> each of them, from left to right.

        Slashes, dots, commas and dashes between them are among them, each with its sign.

        Raises:
            UserError: It is not a two-dimensional array of pixel values.
        """
        found = self._ink(pixels, number=True)
        signs = self._signs(found.ink, number=True)
        signs.sort(key=lambda sign: ndimage.center_of_mass(sign)[1])
        each = []
        for sign, (name, ambiguous) in zip(signs, names(signs), strict=True):
            if name != DIRT:
                doubts = (ONE_OR_SLASH,) if ambiguous else ()
                each.append(replace(self._prepared(found, sign), sign=name, doubts=doubts))
        return each

    def _ink(self, pixels: NDArray[np.generic], *, number: bool = False) -> Found:
        """Separate ink from paper."""
        longer, shorter = (of(np.shape(pixels), default=1) for of in (max, min))
        least = max(shorter / WORKING_SIDE, longer / LONGEST) if number else longer / WORKING_SIDE
        reduction = max(1.0, least)
        values, top, left = self.sheet(_values(pixels, reduction))
        values, margin = self.margin(values)
        small = resized(
            values,
            scaled(values.shape, max(1.0, max(values.shape) / LIGHT_SIDE)),
            Image.Resampling.BOX,
        )
        dark = self.is_dark(small)
        bright = values if dark else 1 - values
        paper = self.paper(bright)
        ink = paper - bright
        if dark:
            ink /= paper.clip(DARKEST, 1)
        for _ in range(2):
            shadow = self.shadow(resized(ink, small.shape, Image.Resampling.BOX))
            if not shadow.any():
                break
            ink = ink - resized(shadow, ink.shape, Image.Resampling.BILINEAR)
        inside = np.s_[margin : len(ink) - margin, margin : ink.shape[1] - margin]
        ink[inside] = self.lines(ink[inside])  # printed lines end at the rim of the picture
        return Found(ink, dark, reduction, (top - margin, left - margin), pixels.shape)

    def _signs(self, ink: Values, *, number: bool = False) -> list[Mask]:
        """Return the (h, w) masks of strokes that belong together; in a number, dots are some."""
        smooth = self.smooth(ink, min(ink.shape) if number else max(ink.shape))
        threshold = otsu(smooth)
        strong = smooth > threshold
        if not strong.any():
            return []
        contrast = float(np.median(smooth[strong]))
        deviation = 1.4826 * _median_size(smooth[~strong])
        if contrast < max(FAINTEST, NOISE * deviation):
            return []
        inked = smooth > self.edge(contrast, deviation, threshold)
        labels = connected(inked, np.ones((3, 3)))
        strokes = np.unique(labels[strong])  # where nothing is strong, nothing is written
        weights = np.bincount(labels.ravel(), ink.ravel())[strokes]
        order = np.argsort(-weights)
        least = self.least(weights[order[0]]) * (DOT if number else 1)
        most = MOST_SIGNS if number else MOST_PARTS
        parts = [labels == strokes[at] for at in order[:most] if weights[at] > least]
        return _together(parts, number=number)

    def _prepared(self, found: Found, sign: Mask) -> Prepared:
        """Turn one sign into a 28x28 image."""
        top, left, bottom, right = box(sign)
        own = sign[top:bottom, left:right]
        around = ndimage.binary_dilation(own, np.ones((3, 3)))
        digit = np.where(around, found.ink[top:bottom, left:right], 0).clip(0)
        peak = np.percentile(digit[own], 90)
        digit = self.sharpen((digit / max(peak, 1e-9)).clip(0, 1))
        size = self.size(digit.shape, found.ink.shape)
        digit = self.resize(self.weigh(digit, size), size).clip(0, None)
        digit = (digit / max(np.percentile(digit, 98), 1e-9)).clip(0, 1)
        y, x = (SIDE + place for place in self.corner(digit))
        canvas = np.zeros((3 * SIDE, 3 * SIDE))
        canvas[y : y + digit.shape[0], x : x + digit.shape[1]] = digit
        image = np.rint(255 * canvas[SIDE : 2 * SIDE, SIDE : 2 * SIDE]).astype(np.uint8)
        return Prepared(image, _name(found.dark), found.placed((top, left, bottom, right)))


prepare, prepare_each = Preprocessor().prepare, Preprocessor().prepare_each


def _name(dark: bool) -> str:
    return "dark" if dark else "light"


def _values(pixels: NDArray[np.generic], reduction: float) -> Values:
    """(H, W) of any type -> values from 0 to 1, so many times smaller."""
    picture = np.asarray(pixels)
    white = _white(picture)
    size = scaled(picture.shape, reduction)
    # Rows first, some at a time: a huge picture in floating-point numbers would be enormous.
    parts = np.array_split(picture, min(len(picture), -(-picture.size // MOST_AT_ONCE)))
    values = (np.divide(part, white, dtype=np.float64) for part in parts)
    if reduction > 1:
        values = (resized(each, (len(each), size[1]), Image.Resampling.BOX) for each in values)
    whole = next(values) if len(parts) == 1 else np.concatenate([*values])
    return resized(whole, size, Image.Resampling.BOX) if reduction > 1 else whole


def _white(picture: NDArray[np.generic]) -> float:
    """Return the pixel value that is 1, and refuse what is no picture."""
    if picture.ndim != 2 or not picture.size or picture.dtype.kind not in "buif":
        raise UserError(
            f"a picture of shape {picture.shape} and type {picture.dtype}: expected (height, "
            "width) pixel values"
        )
    low, high = float(picture.min()), float(picture.max())  # NaN where any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError("a picture with pixel values that are not finite numbers")
    if picture.dtype == np.bool_:
        return 1.0
    if picture.dtype == np.uint16:
        return 65535.0
    if low < 0 or high > 255 or 0 < high <= 1:
        raise UserError(f"a picture with pixel values from {low:g} to {high:g}: expected 0 to 255")
    return 255.0


def _together(parts: list[Mask], *, number: bool) -> list[Mask]:
    """Join parts that are near each other, unless they stand side by side like two signs."""
    boxes = np.array([box(part) for part in parts])
    reach = round(GAP * max(*map(_length, parts), boxes[:, 2].max() - boxes[:, 0].min()))
    signs = [parts[0]]
    for part in parts[1:]:
        top, left, bottom, right = box(part)
        around = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
        near = ndimage.distance_transform_edt(~part[around]) <= reach
        joined = [
            sign
            for sign in signs
            if (sign[around] & near).any() and not _beside(sign, part, number=number)
        ]
        signs = [sign for sign in signs if not any(sign is each for each in joined)]
        signs.append(np.any([part, *joined], axis=0))
    return signs


def _beside(one: Mask, other: Mask, *, number: bool) -> bool:
    """Tell whether two parts are hardly above each other, and, but in a number, both tall."""
    (top, left, bottom, right), (top_, left_, bottom_, right_) = box(one), box(other)
    overlap = min(right, right_) - max(left, left_)
    tall = min(bottom - top, bottom_ - top_) > 0.6 * max(bottom - top, bottom_ - top_)
    return (tall or number) and overlap < 0.3 * min(right - left, right_ - left_)


def _median_size(values: Values) -> float:
    """Return the median of absolute values, at once where most of them are 0."""
    if 2 * np.count_nonzero(values) < len(values):
        return 0.0
    return float(np.median(abs(values)))


def _length(mask: Mask) -> int:
    """Return the longer side of a mask's box."""
    top, left, bottom, right = box(mask)
    return max(bottom - top, right - left)


def _blurred(digit: Values, sigma: float) -> Values:
    """Blur by a Gaussian about as wide as a digit: `gaussian_filter` in a quarter of its time."""
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights /= 2 * weights.sum() - weights[0]
    down, across = (
        toeplitz(np.pad(weights, (0, side))[:side])  # (side, side): what each pixel takes of each
        for side in digit.shape
    )
    return _product(_product(down, digit), across)


def _product(left: Values, right: Values) -> Values:
    """Multiply matrices in strips so small that OpenBLAS starts no threads, which cost more."""
    high = max(1, UNSHARED // right.size)
    return np.concatenate([left[top : top + high] @ right for top in range(0, len(left), high)])


def _stroke(digit: Values) -> float:
    """Return the mean width of strokes, pixels: 4 times their points' mean distance to an edge."""
    zoom = max(1, round(80 / max(digit.shape)))
    padded = np.pad(digit, 1)
    fine = resized(padded, scaled(padded.shape, 1 / zoom), Image.Resampling.BILINEAR) > 0.5
    if not fine.any():
        return 1.0
    return float(4 * ndimage.distance_transform_edt(fine)[fine].mean()) / zoom


def _redrawn(digit: Values, size: Shape, wider: float) -> Values:
    """Redraw strokes ``wider`` pixels wider (or narrower), at a size of (height, width)."""
    fine = np.pad(antialiased(digit, size), 8)
    inside = fine > 0.5
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    drawn = (distance + wider / 2 + 0.5).clip(0, 1)
    if not drawn.any():
        return digit
    top, left, bottom, right = box(drawn > 0)
    return np.asarray(drawn[top:bottom, left:right])
