"""What a few runs and a few digits say about all runs and all digits.

Each test's docstring says which variation it covers: other seeds, other test digits, or both.
"""

import warnings
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mnist_arch.randomness import derived_seed

CONFIDENCE = 0.95
RESAMPLES = 9_999  # of the bootstrap; its smallest p value is one part in 10,000
BINS = 15  # of equal width, as in Guo et al. 2017

Array = NDArray[Any]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return Student's 95 % confidence interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half


def verdict(values: Sequence[float], claimed: float, *, greater_is_better: bool = True) -> str:
    """Judge a claim by the interval of the mean, ends included.

    ``reproduced`` when the claimed value lies in it, ``exceeded`` when the whole interval is
    better, ``not reached`` when it is worse; a single value judges nothing. A source's value is
    often of one run: where 95 % of single runs would lie, sqrt(1 + n) times as far from the mean
    as the interval's ends, it is added that the claim is not ruled out for a single run.
    """
    found = interval(values)
    if found is None:
        return "one run judges nothing"
    low, high = found
    if low <= claimed <= high:
        return "reproduced"
    judged = "exceeded" if (claimed < low) == greater_is_better else "not reached"
    reach = (high - low) / 2 * (len(values) + 1) ** 0.5
    if abs(claimed - mean(values)) <= reach:
        judged += "; not ruled out for a single run"
    return judged


class Difference(NamedTuple):
    """A difference of two values, its 95 % interval, and the p value of there being none."""

    value: float
    low: float
    high: float
    p: float


class Bin(NamedTuple):
    """Images read with about the same confidence; means are 0 where there are no images."""

    images: int
    confidence: float  # mean
    accuracy: float  # share that is read right


def wilson(errors: int, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the share of images misread, 0 to 1 (JASA 22, 1927).

    Covers other digits of the same kind, each right or wrong by itself; one trained net.
    """
    found = stats.binomtest(errors, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def mcnemar(only_first: int, only_second: int, images: int) -> Difference:
    """Compare the shares of the same images that two nets misread, first minus second.

    ``only_first`` images are misread by the first net only. The p value is McNemar's exact
    conditional one with mid-p (Fagerland, Lydersen, Laake, BMC Med. Res. Methodol. 13:91, 2013);
    the interval Bonett and Price's (J. Educ. Behav. Stat. 37:4, 2012). Covers other digits of
    the same kind, read by these two trained nets: of other seeds it says nothing.
    """
    either, fewer = only_first + only_second, min(only_first, only_second)
    p = 2 * stats.binom.cdf(fewer, either, 0.5) - stats.binom.pmf(fewer, either, 0.5)
    first, second = ((count + 1) / (images + 2) for count in (only_first, only_second))
    spread = ((first + second - (first - second) ** 2) / (images + 2)) ** 0.5
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * spread
    value = (only_first - only_second) / images
    return Difference(value, first - second - half, first - second + half, float(p))


def over_seeds(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Compare the means of two recipes' values, one value a seed: first minus second.

    Welch's t test; where one of them has a single value, Student's, which takes it to spread as
    the others do (Crawford, Howell, Clin. Neuropsychol. 12, 1998). Covers other seeds, read on the
    very same digits. None where no value spreads, so that there is nothing to measure by.
    """
    if len({*first}) == len(first[:1]) and len({*second}) == len(second[:1]):
        return None
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # one has no spread
        found = stats.ttest_ind(first, second, equal_var=min(len(first), len(second)) == 1)
    bounds = found.confidence_interval(CONFIDENCE)
    value = mean(first) - mean(second)
    return Difference(value, float(bounds.low), float(bounds.high), float(found.pvalue))


def paired_bootstrap(first: Array, second: Array) -> Difference:
    """Compare the shares of images that two recipes misread, first minus second.

    Both are (S, N) and say whether the net of a seed misread a digit; row s of both is of one
    seed, column n of one digit. What is resampled is their difference: pairs of one seed, and
    independently of it digits, both with replacement (Owen, Ann. Appl. Stat. 1:2, 2007, "The
    pigeonhole bootstrap"). Each resample's distance from the mean found is divided by its own
    standard error, that of two crossed random factors, and the interval is symmetric (Hall, J. R.
    Statist. Soc. B 50:1, 1988). The p value counts the resamples as far off as zero is, plus one
    (Davison, Hinkley 1997, chapter 4).

    Covers other seeds and other digits of the same kind. Dividing makes up for seeds being few:
    of equal recipes, simulated with three to eight seeds, fewer than one pair in ten has p below
    0.05 (tests/analysis/test_statistics.py), which is somewhat more than one in twenty. Two
    seeds are too few.
    """
    cells = first.astype(np.int8) - second.astype(np.int8)
    sign = -1 if cells.sum() < 0 else 1  # the same draws whichever is called the first
    # Digits that all nets read alike are one column with a count: ten times fewer.
    columns, counts = np.unique(sign * cells, axis=1, return_counts=True)
    seeds, images = cells.shape
    draw = np.random.default_rng(derived_seed(0, "bootstrap"))
    ones = np.ones((1, seeds))
    columns = columns.astype(float)  # whole numbers would be multiplied far more slowly
    (value,), (error,) = _crossed(columns, ones, counts[None])
    means, errors = _crossed(
        columns,
        draw.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES),
        draw.multinomial(images, counts / images, RESAMPLES),
    )
    distances = np.abs(means - value) / errors
    half = np.quantile(distances, CONFIDENCE) * error
    p = (1 + (distances >= value / error).sum()) / (1 + RESAMPLES)
    value *= sign
    return Difference(float(value), float(value - half), float(value + half), float(p))


def _crossed(cells: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
    """Return the mean of (S, K) cells and its standard error, for each of B resamples.

    ``rows`` (B, S) and ``columns`` (B, K) count how often each was drawn. Rows and columns are
    crossed random factors with one value a cell: var = (MS_rows + MS_columns - MS_rest) / (S N),
    where no factor's variance is taken to be negative.
    """
    s, n = int(rows[0].sum()), int(columns[0].sum())
    by_row, by_column = columns @ cells.T / n, rows @ cells / s
    means = (rows * by_row).sum(1) / s
    of_rows = n * (rows * (by_row - means[:, None]) ** 2).sum(1) / (s - 1)
    of_columns = s * (columns * (by_column - means[:, None]) ** 2).sum(1) / (n - 1)
    total = (rows * (columns @ (cells.T**2))).sum(1) - s * n * means**2
    rest = (total - (s - 1) * of_rows - (n - 1) * of_columns) / ((s - 1) * (n - 1))
    variance = np.maximum(of_rows, rest) + np.maximum(of_columns, rest) - rest
    return means, np.sqrt(np.maximum(variance, 1e-12) / (s * n))  # all alike: no spread to divide


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that one true "no difference" called false is the error controlled.

    Holm's step-down (Scand. J. Statist. 6, 1979), whatever the dependence between the tests.
    """
    from statsmodels.stats.multitest import multipletests  # a second of imports

    return multipletests(p_values, method="holm")[1].tolist() if p_values else []


def reliability(confidence: Array, right: Array) -> list[Bin]:
    """Sort (N,) confidences, 0 to 1, into 15 bins of equal width; ``right`` is (N,) truth values.

    A confidence on an edge belongs to the bin above it, 1 to the last.
    """
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    images = np.bincount(places, minlength=BINS)
    sums = (np.bincount(places, weights=each, minlength=BINS) for each in (confidence, right))
    means = (total / np.maximum(images, 1) for total in sums)
    return [Bin(int(n), float(c), float(a)) for n, c, a in zip(images, *means, strict=True)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean over images of |accuracy - confidence|.

    Guo, Pleiss, Sun, Weinberger, ICML 2017, eq. 3: the two are means of the image's bin. It
    depends on the bins, and is never below zero, so small samples overstate it.
    """
    off = sum(each.images * abs(each.accuracy - each.confidence) for each in bins)
    return off / sum(each.images for each in bins)
