"""Published numbers against runs: which runs answer which number, and how the answer is judged."""

import pytest

from mnist_arch.analysis.groups import Group
from mnist_arch.analysis.judgements import (
    claims,
    headline,
    is_other_way,
    judged,
    modern,
    tried,
)
from mnist_arch.models import ARCHITECTURES
from tests.factories import DISTORTED, group, record, scores, untested

# Split, metric, epoch and value of what each network is judged by.
SOURCES = {
    "dense": [
        ("test", "accuracy", 5, 92.41),
        ("train", "accuracy", 5, 92.59),
        ("test", "loss", 5, 0.2702),
    ],
    "mlp": [
        ("test", "accuracy", 5, 97.59),
        ("train", "accuracy", 5, 98.35),
        ("test", "loss", 5, 0.0769),
    ],
    "dropout_cnn": [("test", "accuracy", 10, 99.2), ("test", "loss", 10, 0.025)],
    "lenet5": [("test", "accuracy", None, 99.05)],
    "lenet5_1998": [("test", "accuracy", None, 99.05), ("train", "accuracy", 19, 99.65)],
    "tanh_cnn": [("test", "accuracy", 5, 97.86), ("train", "accuracy", 5, 97.14)],
    "regularized_cnn": [
        ("test", "accuracy", None, 99.36),
        ("validation", "accuracy", None, 99.18),
    ],
    "augmented_cnn": [("validation", "accuracy", 1, 97.93)],
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_is_judged_by_the_last_numbers_of_its_sources_main_trial(name: str) -> None:
    numbers = [(each.split, each.metric, each.epoch, each.value) for each in headline(name)]
    assert numbers == SOURCES.get(name, [])


def test_a_number_is_judged_over_seeds() -> None:
    """200, 220, 240 errors: mean 97.8 %, interval 97.8 +- 4.3027 * 0.2 / sqrt 3."""
    accuracy, loss = claims([group([200, 220, 240])])
    assert accuracy.values == pytest.approx([98.0, 97.8, 97.6])
    assert (accuracy.claim.value, accuracy.verdict) == (97.59, "reproduced")
    assert (loss.values, loss.verdict) == ([0.05] * 3, "exceeded")  # less is better


def test_training_accuracy_is_that_of_the_claims_epoch_as_the_network_learned() -> None:
    curve = {"train/accuracy": [90.0, 95.0, 97.0, 98.0, 98.5, 99.0]}
    rows = judged(group([200, 220], history=curve))
    assert [row.values for row in rows if row.claim.split == "train"] == [[98.5, 98.5]]


def test_a_run_that_is_shorter_than_the_claim_answers_for_its_test_images_only() -> None:
    curve = {"train/accuracy": [90.0, 95.0]}
    assert {row.claim.split for row in judged(group([200], epochs=2, history=curve))} == {"test"}


def test_validation_accuracy_is_that_of_the_kept_weights_where_no_epoch_is_claimed() -> None:
    splits = {
        "images": {"validation": 12_000, "test": 10_000},
        "scores": {"validation": scores(96, 12_000), "test": scores(64, 10_000)},
        "history": {"validation/accuracy": [1.0, 2.0]},
    }
    own = group([64], architecture="regularized_cnn", **splits)
    assert [row.values for row in judged(own)] == [[99.36], [99.2]]
    first_epoch = group([64], architecture="augmented_cnn", **splits)
    assert [row.values for row in judged(first_epoch)] == [[1.0]]


def test_a_number_of_validation_images_says_nothing_of_a_run_without() -> None:
    rows = judged(group([64], architecture="regularized_cnn"))
    assert [row.claim.split for row in rows] == ["test"]
    assert judged(Group([untested()])) == []


def test_only_runs_by_the_sources_own_recipe_and_data_judge_its_numbers() -> None:
    others = [
        group([200], recipe="modern"),
        group([200], data="mnist_5k"),
        group([200], variant={"recipe.max_epochs": 9}),
    ]
    assert claims(others) == []
    bf16 = group([200], precision="bf16-mixed")
    assert {row.group.precision for row in claims([group([200]), bf16])} == {
        "32-true",
        "bf16-mixed",
    }


def test_other_ways_to_a_number_are_recipes_of_the_same_network_and_changed_settings() -> None:
    ways = [
        group([200], recipe="mlp_on_tensorflow"),
        group([200], variant={"recipe.max_epochs": 9}),
    ]
    others = [
        group([200]),
        group([200], recipe="modern"),
        group([200], recipe="dense"),
        group([200], architecture="lenet5", recipe="lenet5_1998"),
        group([200], architecture="lenet5", recipe="lenet5_1998_slower"),
        group([200], variant={"recipe.max_epochs": 9}, data="mnist_5k"),
        group([200], variant=DISTORTED),
        group([200], variant={"recipe.augmentation": None}),
    ]
    assert [each for each in [*ways, *others] if is_other_way(each)] == ways
    assert {row.group.title for row in tried([*ways, *others])} == {
        "mlp_on_tensorflow",
        "own, max_epochs=9",
    }


def test_the_modern_recipe_is_put_beside_the_own() -> None:
    """241 and 261 errors against 151: 97.49 % and 98.49 %."""
    own, new = group([241, 261]), group([151], recipe="modern")
    others = [
        group([900], architecture="dense"),
        group([1], recipe="modern", variant={"recipe.l2": 0.1}),
        group([2], recipe="modern", data="mnist_5k"),
        Group([record(3, architecture="lenet5", recipe="modern")]),
    ]
    (change,) = modern([own, *others, new])
    assert (change.before, change.after) == (own, new)
    assert change.points == pytest.approx(1.0)
    difference = change.difference
    assert difference is not None
    # One degree of freedom, 12.7062, and Student's error of one run beside two: 0.1414 sqrt(1.5).
    half = 12.7062 * 0.141421 * 1.5**0.5
    assert (difference.low, difference.high) == pytest.approx((1 - half, 1 + half), abs=1e-4)
