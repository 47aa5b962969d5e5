"""Morphology in few passes is scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from mnist_arch.inference.paper import long_runs, opened, over_windows

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
