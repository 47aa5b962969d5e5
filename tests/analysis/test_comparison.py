"""Which networks differ: tests chosen by what there is, and counted by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_arch.analysis.comparison import Comparison, Method, Verdict, compare
from mnist_arch.analysis.statistics import mcnemar
from mnist_arch.errors import UserError
from mnist_arch.runs.records import mask
from tests.factories import record, untested

LABELS = np.arange(200) % 10
SURE = 0.9  # the probability of each digit that is predicted


def run(folder: Path, wrong: Sequence[int], *, predictions: bool = True, **changes: Any) -> Path:
    """A finished LeNet-5 that takes these of 200 digits for the next greater, all as surely."""
    predicted = LABELS.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 10
    scores = np.full((200, 10), np.log((1 - SURE) / 9), dtype=np.float32)
    scores[np.arange(200), predicted] = np.log(SURE)
    errors = np.bincount(LABELS[list(wrong)], minlength=10).tolist()
    folder.mkdir(parents=True)
    record(errors, 200, **{"architecture": "lenet5", "recipe": "lenet5"} | changes).write(folder)
    if predictions:
        np.savez_compressed(folder / "predictions.npz", scores=scores, labels=LABELS)
    return folder


def seeds(folder: Path, wrong: Sequence[Sequence[int]], **changes: Any) -> list[Path]:
    """Runs that differ in their seed, from 0, and in what they misclassify."""
    return [run(folder / str(n), each, seed=n, **changes) for n, each in enumerate(wrong)]


def single(folder: Path) -> Comparison:
    """One run that misclassifies 0 to 9, another that misclassifies 8 to 11."""
    return compare(
        [run(folder / "a", range(10)), run(folder / "b", range(8, 12), recipe="modern")]
    )


def test_two_runs_are_compared_on_the_same_images(tmp_path: Path) -> None:
    """Eight are wrong for the first alone, two for the second alone: 6 of 200 apart."""
    (pair,) = single(tmp_path).pairs
    assert (pair.first.name, pair.second.name) == ("lenet5, own", "lenet5, modern")
    assert pair.method is Method.MCNEMAR
    assert [places.tolist() for places in pair.alone] == [[*range(8)], [10, 11]]
    assert pair.difference is not None
    assert pair.difference.value == pytest.approx(-3)
    # Twice C(10,0) + C(10,1) + C(10,2), less C(10,2), of 2^10; too much for a difference.
    assert pair.difference.p == pytest.approx((2 * (1 + 10 + 45) - 45) / 1024)
    assert (pair.verdict, pair.better) == (Verdict.ALIKE, None)
    expected = mcnemar(2, 8, 200)
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (100 * expected.low, 100 * expected.high)
    )


def test_the_better_network_is_the_same_whichever_is_first(tmp_path: Path) -> None:
    many, few = run(tmp_path / "a", range(20)), run(tmp_path / "b", [0], recipe="modern")
    for paths in ([many, few], [few, many]):
        (pair,) = compare(paths).pairs
        assert pair.verdict is Verdict.DIFFERENT
        assert pair.better is not None
        assert pair.better.name == "lenet5, modern"


@pytest.mark.parametrize(
    ("first", "second", "method", "paired"),
    [
        (3, 4, Method.BOOTSTRAP, [0, 1, 2]),
        (2, 4, Method.CROSSED, []),  # the bootstrap needs three seeds in common
        (1, 3, Method.CROSSED, []),
        (1, 1, Method.MCNEMAR, []),
    ],
)
def test_the_test_is_the_one_that_covers_most(
    first: int, second: int, method: Method, paired: list[int], tmp_path: Path
) -> None:
    one = seeds(tmp_path / "a", [range(20 + n) for n in range(first)])
    other = seeds(tmp_path / "b", [range(5, 7 + n) for n in range(second)], recipe="modern")
    (pair,) = compare([*one, *other]).pairs
    assert (pair.method, pair.seeds) == (method, paired)
    assert pair.unpaired == ({"B": [3]} if paired else {})
    assert pair.difference is not None
    mean = np.mean([20 + n for n in range(first)]), np.mean([2 + n for n in range(second)])
    if paired:
        mean = np.mean([20, 21, 22]), np.mean([2, 3, 4])
    assert pair.difference.value == pytest.approx(-100 * (mean[0] - mean[1]) / 200)
    assert pair.better is pair.second
    # Wrong for every run of the first and none of the second, whose last is wrong most often.
    assert pair.alone[0].tolist() == [*range(5), *range(6 + second, 20)]


def test_runs_that_differ_in_nothing_but_their_seed_are_compared_with_each_other(
    tmp_path: Path,
) -> None:
    """One of three is far off. Holm: the least p counts three times, the greatest once."""
    comparison = compare(seeds(tmp_path, [range(50), [0, 1], [1, 2, 3]]))
    assert [net.name for net in comparison.nets] == [f"lenet5, own, seed {n}" for n in range(3)]
    better = [pair.better and pair.better.letter for pair in comparison.pairs]
    assert better == ["B", "C", None]
    p_values = [pair.difference.p for pair in comparison.pairs if pair.difference]
    adjusted = [pair.adjusted for pair in comparison.pairs]
    # C(48,0) of 2^48 by mid-p; 0 and 47; 1 and 2 of 3: 2 (1 + 3) - 3 of 8, less half: 5/8.
    assert p_values == pytest.approx([2**-48, 2**-47, 5 / 8])
    assert adjusted == pytest.approx([3 * 2**-48, 2 * 2**-47, 5 / 8])


def test_records_alone_give_what_they_can(tmp_path: Path) -> None:
    one = seeds(tmp_path / "a", [range(20), range(22)], predictions=False)
    other = seeds(tmp_path / "b", [[1], [1, 2]], predictions=False, recipe="modern")
    alone = run(tmp_path / "c", range(10), predictions=False, recipe="other")
    lonely = run(tmp_path / "d", range(9), predictions=False, recipe="others")
    comparison = compare([*(path / "record.json" for path in (*one, *other)), alone, lonely])
    assert [pair.method for pair in comparison.pairs] == [Method.T] * 5 + [Method.NONE]
    assert comparison.pairs[-1].verdict is Verdict.UNTESTED
    assert [(net.calibration_error, net.bins) for net in comparison.nets] == [(None, [])] * 4
    assert (comparison.labels, comparison.pairs[0].alone) == (None, [])
    assert comparison.nets[0].errors_by_label == [2.5, 2.5, *[2] * 8]


def test_two_seeds_a_side_that_agree_leave_it_to_the_images(tmp_path: Path) -> None:
    """30 and 34 errors of 200 against 2 and 3: Welch's test of two seeds a side has one degree of
    freedom and p 0.04, which the correction for three pairs would undo."""
    one = seeds(tmp_path / "a", [range(30), range(34)])
    other = seeds(tmp_path / "b", [[1, 2], [1, 2, 3]], recipe="modern")
    third = seeds(tmp_path / "c", [[1, 3], [1, 2, 4]], recipe="other")
    comparison = compare([*one, *other, *third])
    assert [pair.method for pair in comparison.pairs] == [Method.CROSSED] * 3
    assert [pair.better and pair.better.letter for pair in comparison.pairs] == ["B", "C", None]


def test_masks_in_records_are_as_good_as_predictions(tmp_path: Path) -> None:
    wrong = [[*range(20)], [*range(25)], [1, 2], [3, 4]]
    recipes = ["lenet5", "lenet5", "modern", "modern"]
    by_predictions = [
        run(tmp_path / f"p{n}", each, seed=n % 2, recipe=recipe)
        for n, (each, recipe) in enumerate(zip(wrong, recipes, strict=True))
    ]
    by_masks = [
        run(
            tmp_path / f"m{n}",
            each,
            seed=n % 2,
            recipe=recipe,
            predictions=False,
            misclassified=mask([place in each for place in range(200)]),
        )
        for n, (each, recipe) in enumerate(zip(wrong, recipes, strict=True))
    ]
    (pair,), (same,) = compare(by_predictions).pairs, compare(by_masks).pairs
    assert pair.method is same.method is Method.CROSSED
    assert pair.difference == same.difference


def test_an_interval_is_over_seeds_or_else_wilsons_over_images(tmp_path: Path) -> None:
    """Errors 10 and 12 of 200: mean 94.5 %, t(0.975, 1) = 12.706 times 0.5. Then 0 of 200."""
    several = seeds(tmp_path / "a", [range(10), range(12)])
    one = run(tmp_path / "b", [], recipe="modern")
    first, second = compare([*several, one]).nets
    assert first.interval == pytest.approx((94.5 - 6.353, 94.5 + 6.353), abs=1e-3)
    # No errors of n: the upper end of Wilson's interval is z^2 / (n + z^2).
    assert second.interval == pytest.approx((100 * (1 - 3.8415 / 203.8415), 100), abs=1e-4)


def test_the_calibration_error_is_how_far_confidence_is_from_accuracy(tmp_path: Path) -> None:
    """Confidence is 0.9; of 200, 190 and 200 are right: off by 0.05 and 0.1, on average 0.075."""
    paths = seeds(tmp_path / "a", [range(10), []])
    net = compare([*paths, run(tmp_path / "b", [1], recipe="modern")]).nets[0]
    assert net.calibration_error == pytest.approx(0.075)
    assert net.bins[13] == pytest.approx((400, 0.9, 0.975))
    assert sum(each.images for each in net.bins) == 400


def test_ten_sigmoids_are_as_sure_as_the_softmax_of_their_logits(tmp_path: Path) -> None:
    """Sigmoids of 0.9 and nine times 0.05: odds of 9 and nine times 1/19, 0.95 of all."""
    paths = [run(tmp_path / name, [], architecture="mlp", recipe=name) for name in "ab"]
    scores = np.full((200, 10), np.log(0.05 / 0.95), dtype=np.float32)
    scores[np.arange(200), LABELS] = np.log(0.9 / 0.1)
    np.savez_compressed(paths[0] / "predictions.npz", scores=scores, labels=LABELS)
    run_a = compare(paths).nets[0].runs[0]
    assert run_a.confidence == pytest.approx(np.full(200, 0.95))


def test_the_class_that_most_runs_predict_is_the_networks_own(tmp_path: Path) -> None:
    paths = seeds(tmp_path / "a", [[0], [0, 1], [2]])
    net = compare([*paths, run(tmp_path / "b", [1], recipe="modern")]).nets[0]
    assert [net.predicted(place) for place in range(3)] == [1, 1, 2]


def test_what_cannot_be_compared_is_named(tmp_path: Path) -> None:
    one = run(tmp_path / "one", [1])
    sums = {"data_sha256": {"t10k": "b"}}
    other = run(tmp_path / "other", [1], recipe="modern", provenance=sums)
    again = run(tmp_path / "again", [1])
    unknown = run(tmp_path / "unknown", [1], architecture="lenet6")
    moved = run(tmp_path / "moved", [1], recipe="moved")
    (tmp_path / "untested").mkdir()
    untested(architecture="lenet5", seed=3).write(tmp_path / "untested")
    with np.load(moved / "predictions.npz") as saved:
        scores = saved["scores"]
    np.savez_compressed(moved / "predictions.npz", scores=scores[::-1], labels=LABELS[::-1])
    for paths, message in (
        ([one], "1 to compare; name 2 to 26"),
        ([one, one / "record.json"], "1 to compare"),
        ([one, again], "two records of the same run"),
        ([one, tmp_path / "nowhere"], "nowhere: not a readable record"),
        ([one, tmp_path], "record.json: not a readable record"),
        ([one, other], "other/record.json: not tested on the images of .*one/record.json"),
        ([one, moved], "moved/record.json: not tested on the images of .*one/record.json"),
        ([one, tmp_path / "untested"], r"untested/record.json: not tested \(test=false\)"),
        ([one, unknown], "no network 'lenet6'; did you mean lenet5"),
    ):
        with pytest.raises(UserError, match=message):
            compare(paths)
