"""Morphology in few passes is scipy's, and light is no ink."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_arch.inference.paper import long_runs, margin_added, opened, over_windows

DRAWS = [np.random.default_rng(seed) for seed in range(60)]


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


def test_a_crop_to_the_ink_gets_a_margin_and_uneven_light_does_not() -> None:
    """Both are dark at two places of the rim; only ink is so with sharp ends."""
    y, x = np.mgrid[-1:1:120j, -1:1:90j]
    cross = np.where(abs(abs(x) - abs(y)) < 0.2, 0.2, 0.9)
    assert margin_added(cross)[1] == round(0.3 * 120)
    light = 0.6 + 0.3 * x * y  # two corners lie in the shadow
    light[30:90, 40:50] = 0.1
    assert margin_added(light)[1] == 0
