"""Statements in words: every judgement follows by hand from made-up runs."""

import math
from dataclasses import replace
from typing import Any

import pytest
from scipy import stats

from mnist_arch.analysis.claims import (
    CHANGED,
    Augmentation,
    Extremes,
    Overfitting,
    Verdict,
    are_extreme,
    augmentation,
    by_digit,
    error_rates,
    extremes,
    mean_rates,
    overfitting,
    reorientation,
)
from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.analysis.groups import Group
from mnist_arch.analysis.robustness import Averaged
from tests.factories import DISTORTED, group

ALL_IMAGES = {"variant": {"recipe.keep": "last", "recipe.validation": 0.0}}


def regularized(errors: list[int], **changes: Any) -> Group:
    return group(errors, **{"architecture": "regularized_cnn"} | changes)


def judged(errors: list[int]) -> Overfitting:
    result = overfitting([regularized([60, 70, 80]), regularized(errors, **ALL_IMAGES)])
    assert result
    return result


def test_the_change_by_training_on_all_images_is_compared_with_the_sources() -> None:
    """99.3 and 98.4, sd 0.1 each: -0.9 +- 2.7764 * sqrt(0.01 / 3 + 0.01 / 3), 4 degrees."""
    result = judged([150, 160, 170])
    assert result.claimed == pytest.approx(98.53 - 99.36)
    difference = result.change.difference
    assert difference is not None
    half = 2.776445 * math.sqrt(0.02 / 3)
    assert difference[:3] == pytest.approx((-0.9, -0.9 - half, -0.9 + half), abs=1e-5)
    assert (result.verdict, result.size) == (Verdict.HOLDS, "as much")


@pytest.mark.parametrize(
    ("errors", "verdict", "size"),
    [
        ([90, 100, 110], Verdict.HOLDS, "less"),
        ([350, 360, 370], Verdict.HOLDS, "more"),
        ([55, 65, 75], Verdict.FAILS, "less"),
        ([20, 30, 40], Verdict.FAILS, "less"),
        ([50, 150, 250], Verdict.OPEN, "as much"),
        ([160], Verdict.OPEN, "as much"),  # one run judges nothing
    ],
)
def test_overfitting_is_judged_by_the_interval_of_the_difference(
    errors: list[int], verdict: Verdict, size: str
) -> None:
    result = judged(errors)
    assert (result.verdict, result.size) == (verdict, size)
    assert result.is_single is (len(errors) == 1)


def test_overfitting_is_not_judged_by_other_runs() -> None:
    own, variant = regularized([60, 70]), ALL_IMAGES["variant"]
    for changes in (
        {"precision": "bf16-mixed"},
        {"variant": variant | {"recipe.max_epochs": 50}},
        {"variant": variant | {"recipe.keep": "best"}},
        {"architecture": "mlp"},
        {"recipe": "modern"},
        {"data": "mnist_5k"},
    ):
        assert overfitting([own, regularized([60, 70], **ALL_IMAGES | changes)]) is None
    assert overfitting([own]) is None


def misclassified(errors: list[list[int]], images: int = 1000) -> Group:
    """Runs of dropout_cnn with so many errors on each digit, of so many images of each."""
    runs = group(errors, architecture="dropout_cnn").records
    for run, counts in zip(runs, errors, strict=True):
        for digit, row in enumerate(run.confusion or []):
            row[digit] = images - counts[digit]
    return Group(runs)


def digits(errors: list[list[int]], of: tuple[int, ...], *, most: bool = True) -> Extremes:
    result = extremes([misclassified(errors)], "dropout_cnn", of, most=most)
    assert result
    return result


def test_a_digit_that_leads_in_every_run_by_more_than_chance_has_the_most_errors() -> None:
    """Leads of 1.0, 1.2 and 1.4 points: 1.2 +- 4.3027 * 0.2 / sqrt 3."""
    result = digits([[10] * 9 + [nines] for nines in (20, 22, 24)], (9,))
    assert (result.verdict, result.runs_first) == (Verdict.HOLDS, 3)
    assert (result.errors(9), result.images(9), result.once(9)) == (66, 3_000, 22)
    half = 4.302653 * 0.2 / math.sqrt(3)
    assert result.interval == pytest.approx((1.2 - half, 1.2 + half), abs=1e-5)
    assert result.p == pytest.approx(sum(math.comb(32, k) for k in range(22, 33)) / 2**32)


def test_one_rival_that_is_not_told_apart_is_enough_to_judge_nothing() -> None:
    """Leads over 0 of -0.2, 0.5 and 1.2 points; over 1 always 0.1, and over the others far."""
    result = digits([[zeros, 19] + [1] * 7 + [20] for zeros in (22, 15, 8)], (9,))
    assert (result.pair, result.runs_first, result.verdict) == ((9, 0), 2, Verdict.OPEN)
    assert result.lead == pytest.approx([-0.2, 0.5, 1.2])


def test_a_digit_that_is_led_has_not_the_most_errors() -> None:
    """6 is named with 9, but 7 leads it by 0.9, 1.0 and 1.1 points; 8 may be anywhere."""
    runs = [[1] * 6 + [5, sevens, eights, 30] for sevens, eights in ((14, 1), (15, 60), (16, 1))]
    result = digits(runs, (9, 6))
    assert (result.pair, result.verdict) == ((6, 7), Verdict.FAILS)
    assert result.lead == pytest.approx([-0.9, -1.0, -1.1])


def test_the_rival_that_leads_surely_counts_more_than_one_that_varies() -> None:
    """9 leads 7 by -1, 1 and 2.4 points, t = 0.81; 6 trails 5 by 0.2, 0.3 and 0.1, t = -3.5."""
    runs = [[1] * 5 + [fives, 6, sevens, 1, 40] for fives, sevens in ((8, 50), (9, 30), (7, 16))]
    result = digits(runs, (9, 6))
    assert (result.pair, result.runs_first, result.verdict) == ((6, 5), 0, Verdict.OPEN)
    assert digits(runs[:1], (9, 6)).pair == (6, 7)  # of one run, the larger lead


def test_fewest_is_most_turned_round() -> None:
    few = [[1, 2] + [10] * 8, [2, 1] + [10] * 8, [1, 1] + [10] * 8]
    result = digits(few, (0, 1), most=False)
    assert (result.verdict, result.runs_first) == (Verdict.HOLDS, 3)
    assert result.p == pytest.approx(12 / 2**11)  # 1 and 10 errors
    assert digits(few, (2, 3), most=False).verdict is Verdict.FAILS


def test_digits_are_compared_by_rate_and_one_run_judges_nothing() -> None:
    """12 errors of 500 are more than 20 of 1,000."""
    runs = misclassified([[20] + [1] * 8 + [12]])
    (runs.first.confusion or [])[9][9] = 488
    result = extremes([runs], "dropout_cnn", (9,), most=True)
    assert result
    assert (result.images(9), result.runs_first, result.verdict) == (500, 1, Verdict.OPEN)
    assert result.interval is None
    chance = sum(math.comb(32, k) * (1 / 3) ** k * (2 / 3) ** (32 - k) for k in range(12, 33))
    assert result.p == pytest.approx(chance)


def test_errors_by_digit_are_those_of_the_own_recipe() -> None:
    own = misclassified([[10] * 9 + [20], [20] * 9 + [60]])
    others = [group([1], confusion=None), group([1], recipe="modern")]
    assert by_digit([own, *others]) == [own]
    assert error_rates(own.records[1]) == pytest.approx([2.0] * 9 + [6.0])
    assert mean_rates(own) == pytest.approx([1.5] * 9 + [4.0])
    assert extremes([own, *others], "mlp", (9,), most=True) is None


def test_digits_come_first_or_last_together() -> None:
    runs = misclassified([[1, 2, 3, 3, 3, 3, 8, 3, 3, 9]])
    for of, most, expected in (
        ((9,), True, True),
        ((6,), True, False),
        ((6, 9), True, True),
        ((8, 9), True, False),
        ((1, 0), False, True),
        ((1,), False, False),
    ):
        assert are_extreme(runs, of, most=most) is expected


def net(name: str, reoriented: float, *, unchanged: float = 99.0) -> Averaged:
    accuracies = {
        "inversion": {0: 99.0, 1: reoriented},
        "rotation": {0: unchanged, 30: 80.0, 90: reoriented, 180: reoriented},
        "shift": {0: 99.0, 3: 45.0},
    }
    return averaged(name, accuracies)


def averaged(name: str, accuracies: Any, **changes: Any) -> Averaged:
    plain: dict[str, Any] = {
        "recipe": name,
        "precision": "32-true",
        "variant": {},
        "label": "",
        "runs": 1,
    }
    plain |= {"augmentation": None}
    return Averaged(architecture=name, accuracies=accuracies, **plain | changes)


@pytest.mark.parametrize(
    ("dense", "cnns", "fails", "verdict"),
    [
        (10, (60, 70), (True, "none"), Verdict.HOLDS),
        (10, (20, 30), (True, "all"), Verdict.FAILS),
        (10, (20, 70), (True, "some"), Verdict.FAILS),
        (50, (60, 70), (False, "none"), Verdict.FAILS),
    ],
)
def test_a_network_fails_that_classifies_less_than_half(
    dense: float, cnns: tuple[float, float], fails: tuple[bool, str], verdict: Verdict
) -> None:
    nets = [net("mlp", dense), net("lenet5", cnns[0]), net("tanh_cnn", cnns[1])]
    result = reorientation(nets)
    assert result
    assert (result.all_dense_fail, result.cnns_fail) == fails
    assert result.verdict is verdict


def test_failures_are_counted_for_each_kind_of_change() -> None:
    result = reorientation([net("dense", 12), net("mlp", 8.5), net("lenet5", 49)])
    assert result
    assert result.dense.keys() == CHANGED.keys()
    assert result.dense["inverted"] == (2, 2, 8.5, 12)
    assert result.dense["turned by 30°"] == (0, 2, 80, 80)
    assert result.cnns["turned by 180°"] == (1, 1, 49, 49)
    assert reorientation([net("mlp", 5)]) is None


def test_a_network_that_learned_nothing_is_listed_and_not_counted() -> None:
    blind = net("tanh_cnn", 60, unchanged=11.35)
    result = reorientation([net("mlp", 10), net("lenet5", 10), blind])
    assert result
    assert blind in result.nets
    assert result.cnns_fail == "all"
    assert result.cnns["inverted"].nets == 1


def everywhere(name: str, percent: float, kind: dict[str, Any], **others: float) -> Averaged:
    """A network that classifies so many of all images correctly, but of some kinds as given."""
    accuracies = {
        corruption: {each.neutral: 98.0}
        | {strength: others.get(corruption, percent) for strength in each.strengths}
        for corruption, each in CORRUPTIONS.items()
    }
    return averaged(name, accuracies, **kind)


def test_augmentation_is_judged_by_networks_that_were_trained_both_ways() -> None:
    """Shift: 70 and 60 become 80 and 90, +10 and +30; noise: 50 and 50 become 40 and 60."""
    plain: dict[str, Any] = {}
    augmented = {"augmentation": "RandomAffine"}
    distorted = augmented | {"variant": DISTORTED}
    without = {"variant": {"recipe.augmentation": None}}
    nets = [
        everywhere("lenet5", 70, plain, noise=50),
        everywhere("lenet5", 80, distorted, noise=40, blur=70),
        everywhere("augmented_cnn", 60, without, noise=50),
        everywhere("augmented_cnn", 90, augmented, noise=60, blur=59),
        everywhere("mlp", 1, plain),
        everywhere("mlp", 99, augmented | {"variant": DISTORTED | {"recipe.l2": 0.1}}),
        replace(everywhere("dense", 1, plain), accuracies={}),
        everywhere("dense", 99, distorted),
    ]
    result = augmentation(nets)
    assert result
    assert [one.architecture for one, _ in result.pairs] == ["lenet5", "augmented_cnn"]
    effects = {each.title: each for each in result.effects}
    assert (effects["shift"].without, effects["shift"].augmented) == ([70, 60], [80, 90])
    assert (effects["shift"].changes, effects["shift"].gaining) == ([10, 30], 2)
    assert effects["Gaussian noise"].changes == [-10, 10]
    assert effects["as they are"].changes == [0, 0]
    assert result.losses == ["as they are", "Gaussian blur"]
    assert {*result.gains} == effects.keys() - {*result.losses, "Gaussian noise"}
    assert result.fewest_runs == 1
    assert augmentation(nets[:1]) is None


def test_what_a_network_gains_by_augmentation_has_the_interval_of_its_seeds() -> None:
    """60 and 62 against 70, 72 and 74, in percent: Welch's test by hand."""
    old = averaged("lenet5", {}, corrupted=[60.0, 62.0], runs=2)
    new = averaged("lenet5", {}, corrupted=[70.0, 72.0, 74.0], runs=3)
    alone = averaged("mlp", {}, corrupted=[50.0])
    (gain, none) = Augmentation([(old, new), (alone, alone)], []).differences
    assert none is None
    of_old, of_new = 2 / 2, 4 / 3  # variances of the means
    freedom = (of_old + of_new) ** 2 / (of_old**2 / 1 + of_new**2 / 2)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(of_old + of_new)
    assert gain
    assert gain[:3] == pytest.approx((11, 11 - half, 11 + half))
