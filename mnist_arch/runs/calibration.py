"""Whether a network is as often right as it is sure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of equal width, as in Guo et al. 2017


class Bin(NamedTuple):
    """Predictions of like confidence: how many, their mean confidence, the share that is right."""

    images: int
    confidence: float
    accuracy: float


def reliability(confidence: NDArray[Any], right: NDArray[Any]) -> list[Bin]:
    """Sort (N,) confidences, 0 to 1, into 15 bins of equal width; ``right`` is (N,) truth values.

    A confidence on an edge belongs to the bin above it, 1 to the last.
    """
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    images = np.bincount(places, minlength=BINS)
    sums = (np.bincount(places, weights=each, minlength=BINS) for each in (confidence, right))
    means = (total / np.maximum(images, 1) for total in sums)
    return [Bin(int(n), float(c), float(a)) for n, c, a in zip(images, *means, strict=True)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean over images of abs(accuracy - confidence).

    Guo, Pleiss, Sun, Weinberger, ICML 2017, eq. 3: the two are means of the image's bin. It
    depends on the bins, and is never below zero, so small samples overstate it.
    """
    off = sum(each.images * abs(each.accuracy - each.confidence) for each in bins)
    return off / sum(each.images for each in bins)
