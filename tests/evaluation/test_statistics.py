"""Intervals and verdicts against published values and hand computations."""

import pytest

from mnist_arch.evaluation.statistics import interval, verdict


def test_the_interval_is_students() -> None:
    """98, 99, 100: mean 99, sd 1, t(0.975, 2) = 4.3027 as every table prints it."""
    low, high = interval([98.0, 99.0, 100.0]) or (0, 0)
    assert (low, high) == pytest.approx((99 - 4.3027 / 3**0.5, 99 + 4.3027 / 3**0.5), abs=1e-4)
    assert interval([99.0]) is None
    assert interval([]) is None


@pytest.mark.parametrize(
    ("claimed", "accuracy", "loss"),
    [
        (90.0, "exceeded", "not reached"),
        (96.6, "reproduced", "reproduced"),
        (101.4, "reproduced", "reproduced"),
        (101.5, "not reached", "exceeded"),
    ],
)
def test_a_claim_is_judged_by_the_interval_of_the_mean(
    claimed: float, accuracy: str, loss: str
) -> None:
    """98, 99, 100 has the interval 96.52 to 101.48."""
    values = [98.0, 99.0, 100.0]
    assert verdict(values, claimed) == accuracy
    assert verdict(values, claimed, greater_is_better=False) == loss


def test_one_run_judges_nothing() -> None:
    assert verdict([99.0], 98.0) == "one run judges nothing"
