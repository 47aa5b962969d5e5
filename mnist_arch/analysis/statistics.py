"""What a few runs and a few digits say about all runs and all digits.

Each test's docstring says which variation it covers: other seeds, other test digits, or both.
"""

import warnings
from collections.abc import Sequence
from math import inf
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mnist_arch.randomness import derived_seed

CONFIDENCE = 0.95
RESAMPLES = 9_999  # of the bootstrap; its smallest p value is one part in 10,000

Array = NDArray[Any]


def interval(
    values: Sequence[float], within: tuple[float, float] = (-inf, inf)
) -> tuple[float, float] | None:
    """Return Student's 95 % confidence interval of the mean; None for fewer than two values.

    It is cut at the ends of ``within``, beyond which no mean can lie.
    """
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stdev(values) / len(values) ** 0.5
    low, high = within
    return max(low, mean(values) - half), min(high, mean(values) + half)


class Difference(NamedTuple):
    """A difference of two values, its 95 % interval, and the p value of there being none."""

    value: float
    low: float
    high: float
    p: float


def wilson(errors: int, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the share of misclassified images (JASA 22, 1927).

    Covers other images of the same kind, each right or wrong independently; one trained network.
    """
    bounds = stats.binomtest(errors, images).proportion_ci(CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)


def newcombe(errors: int, images: int, errors_too: int, images_too: int) -> Difference:
    """Compare the shares misclassified of two sets of images, first minus second.

    The interval is Newcombe's hybrid of Wilson's (Statist. Med. 17, 1998, method 10), the p value
    Fisher's exact one. Covers other images of the same kinds.
    """
    first, second = errors / images, errors_too / images_too
    (low, high), (low_too, high_too) = wilson(errors, images), wilson(errors_too, images_too)
    value = first - second
    below = ((first - low) ** 2 + (high_too - second) ** 2) ** 0.5
    above = ((high - first) ** 2 + (second - low_too) ** 2) ** 0.5
    table = [[errors, images - errors], [errors_too, images_too - errors_too]]
    return Difference(value, value - below, value + above, float(stats.fisher_exact(table).pvalue))


def mcnemar(only_first: int, only_second: int, images: int) -> Difference:
    """Compare the shares of the same images that two networks misclassify, first minus second.

    ``only_first`` images are misclassified by the first network only. The p value is McNemar's
    exact conditional one with mid-p (Fagerland, Lydersen, Laake, BMC Med. Res. Methodol. 13:91,
    2013); the interval Bonett and Price's (J. Educ. Behav. Stat. 37:4, 2012). Covers other images
    of the same kind, for these two trained networks: it says nothing about other seeds.
    """
    either, fewer = only_first + only_second, min(only_first, only_second)
    p = 2 * stats.binom.cdf(fewer, either, 0.5) - stats.binom.pmf(fewer, either, 0.5)
    first, second = ((count + 1) / (images + 2) for count in (only_first, only_second))
    spread = ((first + second - (first - second) ** 2) / (images + 2)) ** 0.5
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * spread
    value = (only_first - only_second) / images
    return Difference(value, first - second - half, first - second + half, float(p))


def over_seeds(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Compare the means of two recipes' values, one value per seed: first minus second.

    Welch's t test; where one of them has a single value, Student's, which assumes that it varies
    as the others do (Crawford, Howell, Clin. Neuropsychol. 12, 1998). Covers other seeds, tested
    on the very same images. None where the values do not vary: then nothing can be said.
    """
    if len({*first}) == len(first[:1]) and len({*second}) == len(second[:1]):
        return None
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # one has no spread
        test = stats.ttest_ind(first, second, equal_var=min(len(first), len(second)) == 1)
    bounds = test.confidence_interval(CONFIDENCE)
    value = mean(first) - mean(second)
    return Difference(value, float(bounds.low), float(bounds.high), float(test.pvalue))


def crossed(first: Array, second: Array) -> Difference:
    """Compare the shares of images that two recipes misclassify, first minus second.

    Both are (S, N) with seeds of their own, four or more together; column n of both is of one
    image. The variance of the difference is the sum of what the seeds say, pooled over both
    recipes as in Student's test, and of what the images say; its degrees of freedom are
    Satterthwaite's (Biometrics Bull. 2, 1946). So a few seeds that agree leave the images to
    judge, and a few that do not ask for a greater difference. Covers other seeds, and other images
    of the same kind; where the seeds spread, both variances hold a part of what the two have in
    common, which errs on the side of caution.

    Raises:
        ValueError: There are fewer seeds: their spread is not known.
    """
    freedom, images = len(first) + len(second) - 2, first.shape[1]
    if freedom < 2:
        raise ValueError("needs four seeds or more")
    shares = [each.mean(1) for each in (first, second)]
    value = float(shares[0].mean() - shares[1].mean())
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in shares)
    of_seeds = squares / freedom * (1 / len(first) + 1 / len(second))
    of_images = float((first.mean(0) - second.mean(0)).var(ddof=1)) / images
    total = of_seeds + of_images
    if not total:
        return Difference(value, value, value, 1.0)
    degrees = total**2 / (of_seeds**2 / freedom + of_images**2 / (images - 1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees)) * total**0.5
    p = 2 * float(stats.t.sf(abs(value) / total**0.5, degrees))
    return Difference(value, value - half, value + half, p)


def paired_bootstrap(first: Array, second: Array) -> Difference:
    """Compare the shares of images that two recipes misclassify, first minus second.

    Both are (S, N) and tell whether the network of a seed misclassified an image; row s of both is
    of one seed, column n of one image. Their difference is resampled: seeds, and independently
    images, both with replacement (Owen, Ann. Appl. Stat. 1:2, 2007, "The pigeonhole bootstrap").
    Each resample's distance from the sample's mean is divided by its own standard error, that of
    two crossed random factors, and the interval is symmetric (Hall, J. R. Statist. Soc. B 50:1,
    1988). The p value counts the resamples as far off as zero is, plus one (Davison, Hinkley 1997,
    chapter 4).

    Covers other seeds and other images of the same kind. The division compensates for few seeds:
    of equal recipes, simulated with three to eight seeds, fewer than one pair in ten has p below
    0.05 (tests/analysis/test_statistics.py), somewhat more than the nominal one in twenty. Two
    seeds are too few.
    """
    cells = first.astype(np.int8) - second.astype(np.int8)
    sign = -1 if cells.sum() < 0 else 1  # the same draws whichever is called the first
    # Images on which all networks agree are one column with a count: ten times fewer.
    columns, counts = np.unique(sign * cells, axis=1, return_counts=True)
    seeds, images = cells.shape
    rng = np.random.default_rng(derived_seed(0, "bootstrap"))
    ones = np.ones((1, seeds))
    columns = columns.astype(float)  # integers are multiplied far more slowly
    (value,), (error,) = _crossed(columns, ones, counts[None])
    means, errors = _crossed(
        columns,
        rng.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES),
        rng.multinomial(images, counts / images, RESAMPLES),
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
    return means, np.sqrt(np.maximum(variance, 1e-12) / (s * n))  # all alike: nothing to divide by


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values so that the chance of even one false "different" stays below the level.

    Holm's step-down (Scand. J. Statist. 6, 1979), whatever the dependence between the tests: the
    least p counts as often as there are tests, the next once less, and none less than a smaller p.
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    steps = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = steps.clip(max=1)
    return adjusted.tolist()
