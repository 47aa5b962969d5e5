import numpy as np
import pytest

from mnist_arch.runs.calibration import calibration_error, reliability


def test_the_calibration_error_is_that_of_the_bins() -> None:
    """Fifteenths: .95, .95 and 1 share the last, 2 of 3 right; .35 is in the sixth, right."""
    confidence, right = np.array([0.95, 0.35, 0.95, 1.0]), np.array([True, True, False, True])
    bins = reliability(confidence, right)
    assert [each.images for each in bins] == [0] * 5 + [1] + [0] * 8 + [3]
    assert bins[14] == pytest.approx((3, 2.9 / 3, 2 / 3))
    assert bins[5] == pytest.approx((1, 0.35, 1))
    assert calibration_error(bins) == pytest.approx((3 * (2.9 / 3 - 2 / 3) + 0.65) / 4)
