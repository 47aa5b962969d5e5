"""What a few runs say about all runs."""

from collections.abc import Sequence
from statistics import mean, stdev

from scipy import stats

CONFIDENCE = 0.95


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return Student's 95 % confidence interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return mean(values) - half, mean(values) + half


def verdict(values: Sequence[float], claimed: float, *, greater_is_better: bool = True) -> str:
    """Judge a claim by the interval of the mean, ends included.

    ``reproduced`` when the claimed value lies in it, ``exceeded`` when the whole interval is
    better, ``not reached`` when it is worse; a single value judges nothing.
    """
    found = interval(values)
    if found is None:
        return "one run judges nothing"
    low, high = found
    if low <= claimed <= high:
        return "reproduced"
    return "exceeded" if (claimed < low) == greater_is_better else "not reached"
