"""Published numbers against runs: which runs answer which number, and how the answer is judged."""

from pathlib import Path

import numpy as np
import pytest

import conf
from mnist_arch.analysis.groups import Group, usual
from mnist_arch.analysis.judgements import (
    claims,
    curves,
    headline,
    is_other_way,
    judged,
    matrices,
    modern,
    tried,
    variations,
)
from mnist_arch.analysis.published import Trial, published
from mnist_arch.analysis.verdicts import Word
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.config import compose
from tests.factories import DISTORTED, group, record, scores, untested

EXPERIMENTS = Path(conf.__file__).parent / "experiment"
# Split, metric, epoch and value of what each network is judged by.
SOURCES = {
    "dense": [
        ("test", "accuracy", 5, 92.41),
        ("train", "accuracy", 5, 92.59),
        ("test", "loss", 5, 0.2702),
        ("train", "loss", 5, 0.2667),
    ],
    "mlp": [
        ("test", "accuracy", 5, 97.59),
        ("train", "accuracy", 5, 98.35),
        ("test", "loss", 5, 0.0769),
        ("train", "loss", 5, 0.0542),
    ],
    "dropout_cnn": [("test", "accuracy", 10, 99.2), ("test", "loss", 10, 0.025)],
    "lenet5": [("test", "accuracy", None, 99.05)],
    "lenet5_1998": [("test", "accuracy", None, 99.05), ("train", "accuracy", 19, 99.65)],
    "tanh_cnn": [("test", "accuracy", 5, 97.86), ("train", "accuracy", 5, 97.14)],
    "regularized_cnn": [
        ("test", "accuracy", None, 99.36),
        ("validation", "accuracy", None, 99.18),
    ],
}
# The same of a trial that only runs with this label repeat.
LABELLED = {
    ("augmented_cnn", "one epoch of 37,760"): [
        ("validation", "accuracy", 1, 97.93),
        ("train", "accuracy", 1, 85.89),
        ("validation", "loss", 1, 0.0609),
        ("train", "loss", 1, 0.4374),
    ],
    ("regularized_cnn", "retrained"): [("test", "accuracy", None, 98.53)],
    ("lenet5_1998", "distorted, 600,000 images an epoch"): [("test", "accuracy", None, 99.2)],
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_is_judged_by_the_last_numbers_of_its_sources_main_trial(name: str) -> None:
    trained = 48_000 if name == "regularized_cnn" else 60_000
    runs = group([1], architecture=name, images={"train": trained, "test": 10_000})
    numbers = [(each.split, each.metric, each.epoch, each.value) for each in headline(runs)]
    assert numbers == SOURCES.get(name, [])


@pytest.mark.parametrize(("name", "label"), LABELLED)
def test_a_trial_of_its_own_is_judged_by_the_runs_with_its_label(name: str, label: str) -> None:
    runs = group([1], architecture=name, label=label, variant={"data.size": 37_760})
    numbers = [(each.split, each.metric, each.epoch, each.value) for each in headline(runs)]
    assert numbers == LABELLED[name, label]
    assert not is_other_way(runs)


@pytest.mark.parametrize(
    "trial",
    [trial for source in published().sources.values() for trial in source.trials if trial.label],
    ids=lambda trial: trial.network,
)
def test_every_label_of_a_trial_is_that_of_an_experiment(trial: Trial) -> None:
    labels = {
        compose([f"model={trial.network}", f"experiment={path.stem}"]).label
        for path in EXPERIMENTS.glob("*.yaml")
    }
    assert trial.label in labels


def test_a_number_is_judged_over_seeds() -> None:
    """200, 220, 240 errors: mean 97.8 %, interval 97.8 +- 4.3027 * 0.2 / sqrt 3."""
    accuracy, loss = claims([group([200, 220, 240])])
    assert accuracy.values == pytest.approx([98.0, 97.8, 97.6])
    assert (accuracy.claim.value, accuracy.verdict.mean) == (97.59, pytest.approx(97.8))
    half = 4.3027 * 0.2 / 3**0.5
    assert accuracy.verdict.interval == pytest.approx((97.8 - half, 97.8 + half), abs=1e-4)
    assert accuracy.verdict.word is Word.OPEN  # three runs judge nothing
    assert loss.values == [0.05] * 3


def test_other_images_than_the_sources_are_counted() -> None:
    """Of 12,000 validation images of ours and of the source at 99.18 %: variance 2 * 0.0823^2."""
    splits = {
        "images": {"train": 48_000, "validation": 12_000, "test": 10_000},
        "scores": {"validation": scores(96, 12_000), "test": scores(64, 10_000)},
    }
    _, validation = judged(group([64] * 5, architecture="regularized_cnn", **splits))
    assert validation.values == pytest.approx([99.2] * 5)
    half = 2.7764 * 2**0.5 * 0.08232 + 0.005
    assert validation.verdict.prediction == pytest.approx((99.2 - half, 99.2 + half), abs=1e-4)


def test_training_accuracy_is_that_of_the_claims_epoch_as_the_network_learned() -> None:
    curve = {"train/accuracy": [90.0, 95.0, 97.0, 98.0, 98.5, 99.0]}
    rows = judged(group([200, 220], history=curve))
    assert [row.values for row in rows if row.claim.split == "train"] == [[98.5, 98.5]]


def test_a_run_that_is_shorter_than_the_claim_answers_for_its_test_images_only() -> None:
    curve = {"train/accuracy": [90.0, 95.0]}
    assert {row.claim.split for row in judged(group([200], epochs=2, history=curve))} == {"test"}


def test_validation_accuracy_is_that_of_the_kept_weights_where_no_epoch_is_claimed() -> None:
    splits = {
        "images": {"train": 48_000, "validation": 12_000, "test": 10_000},
        "scores": {"validation": scores(96, 12_000), "test": scores(64, 10_000)},
        "history": {"validation/accuracy": [1.0, 2.0]},
    }
    own = group([64], architecture="regularized_cnn", **splits)
    assert [row.values for row in judged(own)] == [[99.36], [99.2]]
    ((_, label),) = (each for each in LABELLED if each[0] == "augmented_cnn")
    once = {"recipe.max_epochs": 1}
    first_epoch = group([64], architecture="augmented_cnn", label=label, variant=once, **splits)
    assert [row.values for row in judged(first_epoch)] == [[1.0]]


def test_a_source_that_trained_on_other_images_is_not_judged() -> None:
    splits = {"train": 60_000, "validation": 12_000, "test": 10_000}
    assert judged(group([64], architecture="regularized_cnn", images=splits)) == []


def test_a_number_of_validation_images_says_nothing_of_a_run_without() -> None:
    splits = {"train": 48_000, "test": 10_000}
    rows = judged(group([64], architecture="regularized_cnn", images=splits))
    assert [row.claim.split for row in rows] == ["test"]
    assert judged(Group([untested()])) == []


def test_what_a_source_prints_by_epoch_is_judged_epoch_by_epoch() -> None:
    """mlp's source has two runs, and of each the accuracy and the loss of five epochs; the last of
    the first run are judged elsewhere."""
    history = {"train/accuracy": [90.0, 91, 92, 93, 94], "train/loss": [0.5, 0.4, 0.3, 0.2, 0.1]}
    rows = curves([group([200, 220], history=history), group([200], recipe="modern")])
    seen = [(row.claim.condition is None, row.claim.metric, row.claim.epoch) for row in rows]
    first, second = range(1, 5), range(1, 6)
    assert seen == [
        *((True, metric, epoch) for metric in ("accuracy", "loss") for epoch in first),
        *((False, metric, epoch) for metric in ("accuracy", "loss") for epoch in second),
    ]
    assert all(
        row.values == [history[f"train/{row.claim.metric}"][row.claim.epoch - 1]] * 2
        for row in rows
    )


def test_a_confusion_matrix_is_judged_by_its_place_among_ours() -> None:
    """The source's own matrix among copies of it is none of the farthest; an empty one is."""
    (_, trial), _ = published().trials_of("mlp")
    assert trial.confusion is not None
    rows = [list(row) for row in trial.confusion.rows]
    draw = np.random.default_rng(0)

    def ours(count: int, scale: float) -> Group:
        matrices = [(draw.poisson(scale * np.array(rows) + 0.1)).tolist() for _ in range(count)]
        return Group(
            [record(241, seed=seed, confusion=each) for seed, each in enumerate(matrices)]
        )

    (alike,), (unlike,), (few,) = (
        matrices([ours(count, scale)]) for count, scale in ((40, 1), (40, 3), (19, 1))
    )
    assert (alike.source, len(alike.distances), alike.word) == ("soorya-2021", 40, Word.PLAUSIBLE)
    assert (unlike.rank, unlike.word) == (1, Word.CONTRADICTED)
    assert few.word is Word.OPEN


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
        group([200], recipe="mlp_on_pytorch"),
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
        group([200], variant={"data.size": 15_000}),
    ]
    assert [each for each in [*ways, *others] if is_other_way(each)] == ways
    assert {row.group.title for row in tried([*ways, *others])} == {"mlp_on_pytorch"}


def test_a_change_to_a_recipe_is_put_beside_it_with_what_becomes_of_the_verdict() -> None:
    """241 and 261 errors against three times 500, which is 95 % where 97.59 is claimed."""
    own = group([241, 261])
    changed = group([500, 500, 501, 499, 500], variant={"recipe.batch_size": 512})
    bf16 = group([240, 262], precision="bf16-mixed")
    others = [
        group([1], recipe="mlp_on_pytorch"),
        group([2], data="mnist_5k"),
        group([3], variant=DISTORTED),
        group([4], precision="bf16-mixed", variant={"recipe.batch_size": 512}),
        group([5], architecture="dense", variant={"recipe.batch_size": 512}),
        group([6], variant={"data.size": 15_000}),
        Group([untested(variant={"recipe.max_epochs": 9})]),
    ]
    rows = variations([own, bf16, changed, *others])
    assert [(row.change.before, row.change.after) for row in rows] == [(own, bf16), (own, changed)]
    assert [row.judgement.verdict.word for row in rows if row.judgement] == [
        Word.OPEN,
        Word.CONTRADICTED,
    ]


def test_the_modern_recipe_is_put_beside_as_many_epochs_of_the_own() -> None:
    new = group([151], recipe="modern", epochs=20)
    nine, twenty = (
        group([200], variant={"recipe.max_epochs": each}, epochs=each) for each in (9, 20)
    )
    (change,) = modern([group([241]), nine, twenty, new])
    assert (change.before, change.after) == (twenty, new)
    (change,) = modern([nine, group([241]), new])
    assert change.before.first.epochs == 5


def test_beside_what_most_of_a_networks_runs_are_a_few_in_another_precision_are_a_change() -> None:
    few, most = group([241]), group([240, 250, 260], precision="bf16-mixed")
    changed = group([300, 310], precision="bf16-mixed", variant={"recipe.batch_size": 512})
    assert usual([few, most, changed]) == [most, changed]
    assert usual([group([241]), group([240], precision="bf16-mixed")]) == [group([241])]
    rows = variations([few, most, changed])
    assert [(row.change.before, row.change.after) for row in rows] == [
        (most, few),
        (most, changed),
    ]
    new, once = (
        group([151, 152], recipe="modern", precision="bf16-mixed"),
        group([150], recipe="modern"),
    )
    (change,) = modern([few, most, once, new])
    assert (change.before, change.after) == (most, new)


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
