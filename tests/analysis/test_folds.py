"""Hard digits by cross-validation, counted by hand."""

import pytest

from mnist_arch.analysis.claims import Verdict
from mnist_arch.analysis.folds import Folds, whole
from mnist_arch.errors import UserError
from mnist_arch.runs.records import Record
from tests.factories import record


def folds(errors: list[int], count: int = 10, **changes: object) -> list[Record]:
    """Runs of 7,000 test images, 700 of each digit, all with so many errors by digit."""
    return [record(errors, 7_000, variant={"data.fold": fold}, **changes) for fold in range(count)]


def test_errors_and_images_are_those_of_all_folds() -> None:
    (all_ten,) = whole(folds([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
    assert all_ten.errors == [10 * each for each in range(1, 11)]
    assert all_ten.images == [7_000] * 10
    share, low, high = all_ten.share(9)
    assert share == pytest.approx(1 / 70)
    assert low < share < high


def test_a_digit_has_the_most_errors_when_it_surely_leads_every_other() -> None:
    """9: 300 of 7,000 beside 200; then 205 beside 200; then 200 beside 300."""
    cases = [
        ([20] * 9 + [30], Verdict.HOLDS),
        ([20] * 8 + [20, 21], Verdict.OPEN),
        ([20] * 8 + [30, 20], Verdict.FAILS),
    ]
    for errors, verdict in cases:
        result = Folds(folds(errors))
        assert result.verdict([9], most=True) is verdict
    assert result.hardest_rival([9], most=True) == (9, 8)
    assert result.lead(9, 8, most=True).value == pytest.approx(-100 / 7_000)


def test_fewest_errors_are_judged_the_other_way_round() -> None:
    result = Folds(folds([5, 5, *[20] * 8]))
    assert result.verdict([0, 1], most=False) is Verdict.HOLDS
    assert result.lead(0, 2, most=False).value == pytest.approx(150 / 7_000)
    assert result.verdict([0, 1], most=True) is Verdict.FAILS
    assert result.verdict([1, 2], most=False) is Verdict.FAILS  # 0 has fewer than 2


def test_one_of_many_pairs_that_leads_by_chance_is_no_evidence() -> None:
    """200 beside 245 of 7,000: p 0.03 by itself, and nine pairs."""
    result = Folds(folds([20] * 8 + [24, 20]))
    assert 0.05 / 9 < result.lead(9, 8, most=True).p < 0.06
    assert result.verdict([9], most=True) is Verdict.OPEN


def test_networks_with_a_fold_missing_are_left_out_and_other_runs_refused() -> None:
    assert (
        whole([*folds([1] * 10, 9), *folds([1] * 10, architecture="lenet5")])[0].name == "lenet5"
    )
    with pytest.raises(UserError, match="tests no fold"):
        whole([record()])
    with pytest.raises(UserError, match="fold 0 is there twice"):
        whole([*folds([1] * 10), *folds([1] * 10, 1)])
