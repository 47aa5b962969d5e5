"""Intervals and tests against published values and hand computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from mnist_arch.analysis import statistics
from mnist_arch.analysis.statistics import (
    Array,
    _crossed,
    crossed,
    holm,
    interval,
    mcnemar,
    newcombe,
    over_seeds,
    paired_bootstrap,
    wilson,
)


def test_the_interval_is_students() -> None:
    """98, 99, 100: mean 99, sd 1, t(0.975, 2) = 4.3027 as every table prints it."""
    low, high = interval([98.0, 99.0, 100.0]) or (0, 0)
    assert (low, high) == pytest.approx((99 - 4.3027 / 3**0.5, 99 + 4.3027 / 3**0.5), abs=1e-4)
    assert interval([99.0]) is None
    assert interval([]) is None
    assert interval([98.0, 99.0, 100.0], within=(98, 100)) == (98, 100)
    assert interval([98.0, 99.0, 100.0], within=(0, 200)) == (low, high)


@pytest.mark.parametrize(
    ("errors", "images", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_as_published(
    errors: int, images: int, low: float, high: float
) -> None:
    """Newcombe, Statist. Med. 17, 1998, table I, method 3."""
    assert wilson(errors, images) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_newcombes_interval_is_as_published(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe, Statist. Med. 17, 1998, p. 873 ff., table II, method 10."""
    difference = newcombe(*first, *second)
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=5e-5)
    mirrored = newcombe(*second, *first)
    assert (-mirrored.value, -mirrored.high, -mirrored.low, mirrored.p) == pytest.approx(
        difference
    )


def test_mcnemars_mid_p_is_as_published() -> None:
    """Fagerland, Lydersen, Laake 2013, airway hyper-responsiveness: 1 and 7 of 21 pairs.

    By hand: p is twice (C(8,0) + C(8,1)) / 2^8 = 0.0703, less the C(8,1) / 2^8 of mid-p: 0.0391.
    """
    difference = mcnemar(1, 7, 21)
    assert difference.p == pytest.approx(10 / 256, rel=1e-12)
    assert difference.value == pytest.approx(-6 / 21)
    # Bonett and Price by hand: shares 2/23 and 8/23, spread sqrt((10/23 - (6/23)^2) / 23).
    half = 1.959964 * ((10 / 23 - (6 / 23) ** 2) / 23) ** 0.5
    assert (difference.low, difference.high) == pytest.approx(
        (-6 / 23 - half, -6 / 23 + half), abs=1e-7
    )
    assert mcnemar(7, 1, 21) == pytest.approx(
        (6 / 21, -difference.high, -difference.low, difference.p)
    )


@pytest.mark.parametrize("count", [0, 1, 5])
def test_as_many_errors_of_either_alone_is_no_evidence(count: int) -> None:
    assert mcnemar(count, count, 100).p == pytest.approx(1)


def test_means_over_seeds_are_compared_by_welch() -> None:
    """Means 99 and 97, variances 1: t = 2 / sqrt(2/3) with 4 degrees, t(0.975, 4) = 2.7764."""
    difference = over_seeds([98.0, 99.0, 100.0], [96.0, 97.0, 98.0])
    half = 2.7764 * (2 / 3) ** 0.5
    assert difference == pytest.approx((2, 2 - half, 2 + half, 0.0705), abs=1e-4)
    # Variances 1 and 0: Welch's degrees of freedom are those of the first, 2.
    difference = over_seeds([98.0, 99.0, 100.0], [97.0, 97.0])
    half = 4.3027 / 3**0.5
    assert difference[:3] == pytest.approx((2, 2 - half, 2 + half), abs=1e-4)


def test_one_run_against_several_is_judged_by_their_spread() -> None:
    """90 against 98, 99, 100: t = 9 / sqrt(4/3), and p = 1 - t / sqrt(t^2 + 2) at 2 degrees."""
    t = 9 / (4 / 3) ** 0.5
    difference = over_seeds([90.0], [98.0, 99.0, 100.0])
    assert difference is not None
    assert (difference.value, difference.p) == pytest.approx((-9, 1 - t / (t * t + 2) ** 0.5))


def test_values_that_do_not_spread_compare_nothing() -> None:
    assert over_seeds([99.0], [98.0]) is None
    assert over_seeds([99.0, 99.0], [98.0, 98.0]) is None


def test_a_resamples_mean_and_error_are_those_of_its_table_written_out() -> None:
    """Cells drawn twice stand twice; the error is that of a two-way table, term by term."""
    cells = np.array([[0, 1, -1, 1], [1, 1, 0, 0], [0, 1, 1, -1]])
    rows, columns = np.array([[1, 2, 0], [1, 1, 1]]), np.array([[3, 1, 0, 2], [0, 2, 2, 2]])
    means, errors = _crossed(cells, rows, columns)
    for place in range(2):
        table = np.repeat(np.repeat(cells, rows[place], 0), columns[place], 1).astype(float)
        s, n = table.shape
        grand = sum(sum(row) for row in table) / (s * n)
        by_row, by_column = [sum(row) / n for row in table], [sum(col) / s for col in table.T]
        of_rows = n * sum((each - grand) ** 2 for each in by_row) / (s - 1)
        of_columns = s * sum((each - grand) ** 2 for each in by_column) / (n - 1)
        rest = sum(
            (table[i, j] - by_row[i] - by_column[j] + grand) ** 2
            for i in range(s)
            for j in range(n)
        ) / ((s - 1) * (n - 1))
        variance = max(of_rows, rest) + max(of_columns, rest) - rest
        assert (means[place], errors[place]) == pytest.approx((grand, (variance / s / n) ** 0.5))


def wrong(
    draw: np.random.Generator, seeds: int, spread: float = 0.1, *, easier: float = 0
) -> list[Array]:
    """Misclassified images of two recipes, each (seeds, 600); seeds spread, and digits are less or
    more hard, for both and for each."""
    hard, shared = draw.normal(-1.5, 1, 600), draw.normal(0, spread, (seeds, 1))
    recipes = []
    for shift in (0, easier):
        own = draw.normal(shift, spread, (seeds, 1)) + draw.normal(0, 0.7, 600)
        recipes.append(hard + shared + own + draw.normal(0, 1, (seeds, 600)) > 0)
    return recipes


def test_the_bootstrap_mirrors_and_holds_the_observed_difference() -> None:
    first, second = wrong(np.random.default_rng(0), 5, easier=0.3)
    difference, mirrored = paired_bootstrap(first, second), paired_bootstrap(second, first)
    assert difference.value == pytest.approx(first.mean() - second.mean())
    assert (difference.low + difference.high) / 2 == pytest.approx(difference.value)
    assert mirrored == pytest.approx(
        (-difference.value, -difference.high, -difference.low, difference.p)
    )
    assert paired_bootstrap(first, second) == difference  # its draws are always the same
    assert (difference.p < 0.05) == (difference.low > 0 or difference.high < 0)
    assert difference.value < 0
    assert difference.p < 0.05


def test_the_bootstrap_finds_nothing_between_equals() -> None:
    same = wrong(np.random.default_rng(0), 3)[0]
    assert paired_bootstrap(same, same) == pytest.approx((0, 0, 0, 1), abs=1e-3)


@pytest.mark.parametrize(("seeds", "spread"), [(8, 0.02), (5, 0.1), (3, 0.4)])
def test_the_bootstrap_says_different_of_equals_once_in_twenty_times(
    seeds: int, spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both recipes are drawn by one law. Of 200 comparisons 10 +- 3 should be below 0.05.

    Resampling seeds alone has more where they spread little beside the digits, and distances that
    are not divided have more where they spread much and are few.
    """
    monkeypatch.setattr(statistics, "RESAMPLES", 199)
    draw = np.random.default_rng(1)
    p_values = [paired_bootstrap(*wrong(draw, seeds, spread)).p for _ in range(200)]
    assert sum(p < 0.05 for p in p_values) <= 10 + 3 * 3


def test_the_crossed_test_adds_what_seeds_and_images_say() -> None:
    """By hand: shares 1/2, 1/4 and 0, 1/4; squares 1/32 each, pooled 1/32 with two degrees, times
    1/2 + 1/2; the columns' differences 1/2, 1/2, 0, 0 (minus 0, 1/2, 0, 0) have variance 1/16."""
    first = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)
    second = np.array([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=bool)
    difference = crossed(first, second)
    columns = np.array([1.0, 0.5, 0, 0]) - np.array([0, 0.5, 0, 0])
    of_seeds, of_images = 1 / 32, columns.var(ddof=1) / 4
    total = of_seeds + of_images
    degrees = total**2 / (of_seeds**2 / 2 + of_images**2 / 3)
    half = scipy_stats.t.ppf(0.975, degrees) * total**0.5
    assert difference.value == pytest.approx(1 / 4)
    assert (difference.low, difference.high) == pytest.approx((1 / 4 - half, 1 / 4 + half))
    assert crossed(second, first).p == pytest.approx(difference.p)
    assert crossed(first, first[::-1]).value == 0
    with pytest.raises(ValueError, match="four seeds"):
        crossed(first[:1], second)


@pytest.mark.parametrize("seeds", [(2, 2), (1, 3), (2, 4)])
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.4])
def test_the_crossed_test_says_different_of_equals_once_in_twenty_times(
    seeds: tuple[int, int], spread: float
) -> None:
    """Both recipes are drawn by one law. Of 400 comparisons 20 +- 4.4 should be below 0.05."""
    draw = np.random.default_rng(2)
    p_values = []
    for _ in range(400):
        first, second = wrong(draw, max(seeds), spread)
        p_values.append(crossed(first[: seeds[0]], second[: seeds[1]]).p)
    assert sum(p < 0.05 for p in p_values) <= 20 + 3 * 4.4


def test_the_crossed_test_finds_146_digits_against_9_with_two_seeds_a_side() -> None:
    """Nets of 96.35 and 99.13 % on 10,000 images, of which 146 are wrong for the first alone in
    both seeds, and 9 for the second alone."""
    draw = np.random.default_rng(0)
    both, alone, other = 60, 146, 9
    nets = []
    for fixed, rest in (
        (range(both + alone), 160),
        ([*range(both), *range(300, 300 + other)], 20),
    ):
        flags = np.zeros((2, 10_000), dtype=bool)
        flags[:, [*fixed]] = True
        for row in flags:
            row[draw.choice(np.arange(1_000, 10_000), rest, replace=False)] = True
        nets.append(flags)
    assert crossed(*nets).p < 1e-6


def test_holms_p_values_are_those_of_the_steps() -> None:
    """0.005 times 4, 0.01 times 3, then 0.03 times 2, which 0.04 times 1 may not undercut."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])
    assert holm([]) == []


@settings(max_examples=20)  # statsmodels is slow
@given(
    st.lists(
        st.sampled_from([0.0, 0.001, 0.02, 0.02 / 3, 0.5, 1.0]) | st.floats(0, 1),
        min_size=1,
        max_size=12,
    )
)
def test_holms_p_values_are_those_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())
