"""What finds the paper in few passes is what scipy finds, or the definition; light is no ink."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from mnist_arch.inference.paper import (
    REACH,
    brightest_near,
    connected,
    long_runs,
    margin_added,
    noise,
    opened,
    otsu,
    over_windows,
)

DRAWS = [np.random.default_rng(seed) for seed in range(60)]


@pytest.mark.parametrize("structure", [None, np.ones((3, 3))])
def test_connected_parts_are_numbered_as_scipy_does(structure: Any) -> None:
    for draws in DRAWS:
        mask = np.zeros(draws.integers(3, 30, 2), bool)
        inside = mask[draws.integers(3) :, draws.integers(3) :]
        inside[:] = draws.random(inside.shape) < draws.random()
        inside[0, 0] = True
        assert (connected(mask, structure) == ndimage.label(mask, structure)[0]).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_an_opening_by_a_line_keeps_long_runs(axis: int) -> None:
    for draws in DRAWS:
        mask = draws.random(draws.integers(1, 30, 2)) < draws.random()
        least = int(draws.integers(1, 9))
        line = np.ones((1, least) if axis else (least, 1))
        assert (long_runs(mask, least, axis) == ndimage.binary_opening(mask, line)).all()


@pytest.mark.parametrize("side", [3, 5, 7])
def test_windows_and_squares(side: int) -> None:
    for draws in DRAWS:
        values = draws.random(draws.integers(1, 30, 2))
        padded = np.pad(values, side // 2, mode="edge")
        for combine, theirs in (
            (np.maximum, ndimage.maximum_filter),
            (np.minimum, ndimage.minimum_filter),
        ):
            ours = over_windows(padded, side, combine)
            assert (ours == theirs(values, side, mode="nearest")).all()
        mask = values < draws.random()
        assert (opened(mask, side) == ndimage.binary_opening(mask, np.ones((side, side)))).all()


def drawing(draws: np.random.Generator) -> NDArray[np.float64]:
    """A few strokes of one or several values on paper of one value; some touch the rim."""
    values = np.ones(draws.integers(20, 90, 2))
    for _ in range(draws.integers(1, 6)):
        top, left = (int(draws.integers(side)) for side in values.shape)
        high, wide = draws.integers(1, 30, 2)
        values[top : top + high, left : left + wide] = draws.random()
    return values


def test_the_paper_under_a_drawing_is_the_closing_of_it_white_everywhere_or_not() -> None:
    white = 0
    for draws in DRAWS:
        values = drawing(draws)
        reach = max(3, round(REACH * min(values.shape)) | 1)
        around = np.pad(values.astype(np.float32), reach, mode="edge")
        closed = ndimage.grey_closing(around, (reach, reach))[reach:-reach, reach:-reach]
        paper = brightest_near(values)
        assert (paper == closed).all()
        white += bool((paper == 1).all())
    assert 10 < white < len(DRAWS) - 10


def test_the_threshold_leaves_the_least_variance_on_its_sides() -> None:
    """So Otsu defines it, in 256 steps between the least value and the greatest."""
    for draws in DRAWS:
        values = drawing(draws) + draws.choice([0, 0.1]) * draws.random()
        values[0, 0] = draws.choice([0.3, 1])
        steps = np.linspace(values.min(), values.max(), 257)
        bins = np.searchsorted(steps[1:-1], values, side="right")
        middles = ((steps[1:] + steps[:-1]) / 2)[bins]

        def within(bin_: int, middles: NDArray[np.float64] = middles, bins: Any = bins) -> float:
            sides = (middles[bins <= bin_], middles[bins > bin_])
            return sum(each.size * each.var() for each in sides)

        best = min(within(bin_) for bin_ in range(bins.max()))
        found = np.searchsorted(steps[1:], otsu(values))
        assert within(int(found)) == pytest.approx(best, abs=1e-9)


def test_noise_is_the_median_second_difference_and_that_of_most_drawings_none() -> None:
    """Immerkaer's kernel, whose squares sum to 36; of random values few are 0."""
    kernel, still = np.outer([1, -2, 1], [1, -2, 1]), 0
    for draws in DRAWS:
        shape = draws.integers(3, 90, 2)
        dots = draws.random(shape) < 0.12
        for values in (drawing(draws), 1.0 * dots, draws.integers(0, 9, shape) / 8):
            seen = abs(ndimage.correlate(values, kernel)[1:-1, 1:-1])
            assert noise(values) == pytest.approx(1.4826 * np.median(seen) / 6, abs=1e-12)
            still += noise(values) == 0
    assert 10 < still < 2 * len(DRAWS) - 10


def test_a_crop_to_the_ink_gets_a_margin_and_uneven_light_does_not() -> None:
    """Both are dark at two places of the rim; only ink is so with sharp ends."""
    y, x = np.mgrid[-1:1:120j, -1:1:90j]
    cross = np.where(abs(abs(x) - abs(y)) < 0.2, 0.2, 0.9)
    assert margin_added(cross)[1] == round(0.3 * 120)
    light = 0.6 + 0.3 * x * y  # two corners lie in the shadow
    light[30:90, 40:50] = 0.1
    assert margin_added(light)[1] == 0
