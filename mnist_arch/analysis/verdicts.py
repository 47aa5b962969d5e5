"""The rule by which a published number is judged.

It was written down before the runs that it judges, and asks two questions of a claim:

1. Could it be one run of ours? Yes, if it lies in the 95 % prediction interval of one more run,
   widened by half of its last printed digit. Where the source and we read different images, the
   interval also has the binomial variance of both accuracies.
2. How far from it is a typical run? The mean less the claim has Student's 95 % interval, which is
   compared with a margin (as in two one-sided tests): one binomial standard error of 10,000
   images at the claim, but at least 0.10 points; of training accuracy 0.10 points; of a loss 10 %.

Two standard deviations of our runs (and the rounding) limit the margin: what differs from each run
of ours is not confirmed because it differs little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import mean, stdev

from scipy import stats

from mnist_arch.analysis.published import Claim
from mnist_arch.analysis.statistics import CONFIDENCE

FEWEST = 5  # runs that judge
TEST_IMAGES = 10_000
POINTS = 0.10  # of accuracy, the least margin
SHARE = 0.10  # of a loss, its margin
DEVIATIONS = 2  # of a run, beyond which nothing is confirmed

Interval = tuple[float, float]


class Word(StrEnum):
    """What the runs say of a number.

    Attributes:
        CONFIRMED: It could be one of them, and their mean is as good as equal to it.
        PLAUSIBLE: It could be one of them; their mean differs from it, or may.
        CONTRADICTED: It could not.
        OPEN: There are too few to say.
    """

    CONFIRMED = "confirmed"
    PLAUSIBLE = "plausible"
    CONTRADICTED = "contradicted"
    OPEN = "open"


@dataclass(frozen=True)
class Verdict:
    """A claim as some runs judge it, all in the unit of the claim.

    Attributes:
        word: The outcome.
        runs: Their number.
        mean: Of them.
        difference: The mean less the claim.
        interval: Student's 95 % interval of the mean; None for one run.
        prediction: Where 95 % of single runs lie, widened as the rule says; None for one run.
        margin: Within which a difference does not matter.
        missing: About how many more runs would tell whether the mean differs from the claim; 0
            where these do.
    """

    word: Word
    runs: int
    mean: float
    difference: float
    interval: Interval | None
    prediction: Interval | None
    margin: float
    missing: int

    @property
    def differs(self) -> bool:
        """Whether a typical run surely differs from the claim, however little."""
        return self.interval is not None and not (
            self.interval[0] <= self.mean - self.difference <= self.interval[1]
        )


def judge(values: Sequence[float], claim: Claim, images: int | None = None) -> Verdict:
    """Judge a claim by what each run reached.

    Args:
        values: One for each run, at least one.
        claim: An accuracy or a loss.
        images: How many each value was computed on, if those were not the source's; else None.
    """
    count, center = len(values), mean(values)
    difference, allowed = center - claim.value, margin(claim)
    if count < 2:
        none = (None, None, allowed, FEWEST - count)
        return Verdict(Word.OPEN, count, center, difference, *none)
    deviation = stdev(values)
    sampling = _sampling(claim, images)
    run = sqrt(deviation**2 + sampling)
    half = _quantile(count) * deviation / sqrt(count)
    reach = _quantile(count) * sqrt(deviation**2 * (1 + 1 / count) + sampling) + claim.rounding
    limit = min(allowed, DEVIATIONS * run + claim.rounding)
    if count < FEWEST:
        word = Word.OPEN
    elif abs(difference) > reach:
        word = Word.CONTRADICTED
    elif abs(difference) + half <= limit:
        word = Word.CONFIRMED
    else:
        word = Word.PLAUSIBLE

    def tells(runs: int) -> bool:
        width = _quantile(runs) * deviation / sqrt(runs)
        return width < abs(difference) or abs(difference) + width <= limit

    enough = max(count, FEWEST) if word is Word.CONTRADICTED else _first(tells, max(count, FEWEST))
    return Verdict(
        word,
        count,
        center,
        difference,
        _possible(center - half, center + half, claim),
        _possible(center - reach, center + reach, claim),
        allowed,
        enough - count,
    )


def _possible(low: float, high: float, claim: Claim) -> Interval:
    """Cut an interval to what can be: no loss is below 0, no accuracy above 100 %."""
    return max(low, 0.0), high if claim.metric == "loss" else min(high, 100.0)


def margin(claim: Claim) -> float:
    """Return within what a difference from a claim does not matter, in the claim's unit."""
    if claim.metric == "loss":
        return SHARE * claim.value
    if claim.split == "train":
        return POINTS
    return max(POINTS, sqrt(claim.value * (100 - claim.value) / TEST_IMAGES))


def _sampling(claim: Claim, images: int | None) -> float:
    """Return the variance that comes of different images; of a loss it is not known, so none."""
    if images is None or claim.metric != "accuracy":
        return 0.0
    return claim.value * (100 - claim.value) * (1 / images + 1 / (claim.images or images))


def _quantile(count: int) -> float:
    """Return Student's for the 95 % interval from so many values."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))


def _first(tells: Callable[[int], bool], least: int) -> int:
    """Return the first number, from the least on, of which something is true; it stays so."""
    low = high = least
    while not tells(high):
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle + 1, high)
    return high
