"""The rule of judgement: worked by hand, and simulated."""

from dataclasses import replace

import numpy as np
import pytest

from mnist_arch.analysis.published import Claim, published
from mnist_arch.analysis.verdicts import Word, judge, margin

TEST = Claim(
    metric="accuracy",
    value=97.59,
    printed="0.9759",
    split="test",
    source="any",
    network="mlp",
    images=10_000,
    data="",
    condition=None,
)
FIVE = [
    97.3,
    97.4,
    97.5,
    97.6,
    97.7,
]  # mean 97.5, sd 0.158114; Student's quantile of five 2.776445


@pytest.mark.parametrize(
    ("metric", "split", "value", "printed", "images"),
    [
        ("accuracy", "test", 92.4, "92.4 %", 26),
        ("accuracy", "test", 97.6, "97.6 %", 15),
        ("accuracy", "test", 99.05, "99.05 %", 10),
        ("accuracy", "train", 92.4, "92.4 %", 10),
    ],
)
def test_the_margin_is_a_binomial_standard_error_and_ten_images_at_least(
    metric: str, split: str, value: float, printed: str, images: int
) -> None:
    claim = replace(TEST, metric=metric, split=split, value=value, printed=printed)
    assert round(100 * margin(claim)) == images


def test_the_margin_of_a_loss_is_a_tenth_of_it() -> None:
    assert margin(replace(TEST, metric="loss", value=0.027, printed="0.027")) == pytest.approx(
        0.0027
    )


def test_no_interval_has_what_cannot_be() -> None:
    """Two losses of 0.02 and 0.10: Student's half width is 12.706 * 0.04."""
    loss = judge([0.02, 0.10], replace(TEST, metric="loss", value=0.06, printed="0.06"))
    assert loss.interval == pytest.approx((0, 0.06 + 0.508248), abs=1e-5)
    assert loss.prediction is not None
    assert loss.prediction[0] == 0
    accuracy = judge([99.0, 99.9], TEST)
    assert accuracy.interval == pytest.approx((99.45 - 5.717792, 100), abs=1e-5)


def test_a_claim_is_judged_by_both_intervals() -> None:
    """Half widths by hand: of the mean 2.776445 * 0.158114 / sqrt 5 = 0.196325, of one more run
    2.776445 * 0.158114 * sqrt 1.2 = 0.480896, and half of the last printed digit, 0.005."""
    verdict = judge(FIVE, TEST)
    assert (verdict.runs, verdict.mean) == (5, pytest.approx(97.5))
    assert verdict.interval == pytest.approx((97.5 - 0.196325, 97.5 + 0.196325), abs=1e-5)
    assert verdict.prediction == pytest.approx((97.5 - 0.485896, 97.5 + 0.485896), abs=1e-5)
    # 0.09 off, and 0.196 more: not within the margin of 0.153.
    assert (verdict.word, verdict.differs) == (Word.PLAUSIBLE, False)


@pytest.mark.parametrize(
    ("value", "word", "differs"),
    [
        (97.02, Word.PLAUSIBLE, True),
        (97.01, Word.CONTRADICTED, True),
        (97.98, Word.PLAUSIBLE, True),
        (97.99, Word.CONTRADICTED, True),
        (97.31, Word.PLAUSIBLE, False),
    ],
)
def test_a_number_that_cannot_be_one_run_is_contradicted(
    value: float, word: Word, differs: bool
) -> None:
    verdict = judge(FIVE, replace(TEST, value=value, printed=f"{value} %"))
    assert (verdict.word, verdict.differs) == (word, differs)


def test_other_images_widen_what_one_more_run_may_be() -> None:
    """At 98 % of 10,000 images the variance is 0.14^2; of 4,900 and of 10,000 0.2^2 and 0.14^2."""
    claim = replace(TEST, value=98.0, printed="98 %", split="validation", images=4_900)
    verdict = judge(FIVE, claim, 10_000)
    half = 2.776445 * (1.2 * 0.025 + 0.2**2 + 0.14**2) ** 0.5 + 0.5
    assert verdict.prediction == pytest.approx((97.5 - half, 97.5 + half), abs=1e-5)


def test_a_mean_as_good_as_equal_is_confirmed() -> None:
    """0.01 off; the interval's half is 2.776445 * 0.0158114 / sqrt 5 = 0.0196; 2 sd are 0.0316."""
    values = [97.58, 97.59, 97.60, 97.61, 97.62]
    assert judge(values, TEST).word is Word.CONFIRMED
    # 0.03 off is within the margin of 0.153, but not within two standard deviations and 0.005.
    assert judge([each + 0.02 for each in values], TEST).word is Word.PLAUSIBLE


@pytest.mark.parametrize("runs", [1, 2, 4])
def test_fewer_than_five_runs_leave_it_open_and_say_how_many_are_missing(runs: int) -> None:
    verdict = judge([97.59 + 0.001 * each for each in range(runs)], TEST)
    assert verdict.word is Word.OPEN
    assert verdict.missing >= 5 - runs


def test_so_many_more_runs_would_tell_and_one_fewer_would_not() -> None:
    """The deviation stays 0.158114, the difference 0.09: an interval excludes zero below 0.09, or
    lies within the margin, 0.15336, below 0.06336; the first comes first."""
    verdict = judge(FIVE, TEST)
    total = verdict.runs + verdict.missing
    from scipy import stats

    def half(runs: int) -> float:
        return float(stats.t.ppf(0.975, runs - 1) * 0.158114 / runs**0.5)

    assert half(total) < 0.09 <= half(total - 1)


DEVIATIONS = [0.1, 0.4, 0.8, 2.0]  # of a run, in margins


def words(runs: int, deviation: float, off: float | None, times: int = 400) -> list[Word]:
    """Judge claims by simulated runs: each itself a run, or so many deviations off the mean."""
    draw = np.random.default_rng(0)
    sd = deviation * margin(TEST)
    results = []
    for _ in range(times):
        shift = draw.normal() if off is None else off
        values = TEST.value + sd * (draw.normal(size=runs) - shift)
        results.append(judge(values.tolist(), TEST).word)
    return results


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_a_perfect_replication_is_confirmed_or_plausible(deviation: float) -> None:
    """The law says 95 %, and 400 fixed draws 93 % or more. The more runs, the more often
    it is confirmed, until the chance of 95 % is all that is left."""
    confirmed = []
    for runs in (5, 10, 30, 100):
        outcome = words(runs, deviation, None)
        assert sum(word in (Word.CONFIRMED, Word.PLAUSIBLE) for word in outcome) >= 0.93 * 400
        confirmed.append(outcome.count(Word.CONFIRMED))
    few, some, many, most = confirmed
    assert few < some < many
    assert most > many - 20  # three standard errors of a share of 95 % are 13 of 400


@pytest.mark.parametrize("deviation", DEVIATIONS)
@pytest.mark.parametrize("runs", [5, 10, 100])
def test_a_claim_three_deviations_off_is_never_confirmed(runs: int, deviation: float) -> None:
    outcome = words(runs, deviation, 3)
    assert Word.CONFIRMED not in outcome
    assert Word.OPEN not in outcome


def test_the_more_runs_the_surer_such_a_claim_is_contradicted() -> None:
    shares = [words(runs, 0.4, 3).count(Word.CONTRADICTED) for runs in (5, 10, 30, 100)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.95 * 400


def test_every_published_accuracy_and_loss_has_a_margin() -> None:
    for claim in published().claims:
        if claim.metric in ("accuracy", "loss"):
            assert 0 < margin(claim) < claim.value
