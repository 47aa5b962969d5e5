"""When two runs are the same, and how what is special about one is said."""

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import DictConfig

from mnist_arch.errors import UserError
from mnist_arch.runs.config import _composed, compose
from mnist_arch.runs.identity import described, identity, label, run_name, variant


@pytest.mark.parametrize(
    "words",
    [
        ["recipe.batch_size=32", "recipe.optimizer.lr=0.001", "recipe.optimizer.lr=1e-3"],
        [
            "seed=0",
            "runs=elsewhere",
            "figures=false",
            "fail_fast=true",
            "logger=csv",
            "again=true",
        ],
        ["trainer.threads=1", "trainer.accelerator=cpu", "data.root=/somewhere"],
        ["recipe=mlp", "data=mnist", "recipe/schedule=none", "recipe.augmentation=null"],
    ],
)
def test_words_that_change_no_result_leave_a_run_the_same(words: list[str]) -> None:
    plain, other = compose(["model=mlp"]), compose(["model=mlp", *words])
    assert identity(plain.settings) == identity(other.settings)
    assert variant(other) == {}
    assert run_name(other) == run_name(plain) == "mlp-seed0"


def test_a_run_from_before_a_setting_is_the_run_that_leaves_it_alone() -> None:
    settings = compose(["model=mlp"]).settings
    before = settings.copy()
    for younger in ("recipe.reshuffle", "recipe.standardize", "recipe.gradient_clip_val"):
        del before[younger]
    for younger in ("data.fold", "seeds", "trust"):
        del before[younger]
    assert identity(before) == identity(settings)
    other = compose(["model=mlp", "recipe.standardize=true"]).settings
    assert identity(before) != identity(other)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["recipe.optimizer.lr=6e-3"], {"recipe.optimizer.lr": 0.006}),
        (["recipe.optimizer.lr=0.006"], {"recipe.optimizer.lr": 0.006}),
        (["data.size=500"], {"data.size": 500}),
        (["trainer.gradient_clip_val=1"], {"trainer.gradient_clip_val": 1}),
        (["+trainer.max_steps=9"], {"trainer.max_steps": 9}),
        # The cosine follows the epochs by itself, but not when it is told otherwise.
        (["recipe.max_epochs=3"], {"recipe.max_epochs": 3}),
        (
            ["recipe.max_epochs=3", "recipe.schedule.T_max=5"],
            {"recipe.max_epochs": 3, "recipe.schedule.T_max": 5},
        ),
        (["recipe/schedule=none"], {"recipe.schedule": None}),
        (["~recipe.optimizer.nesterov"], {"recipe.optimizer.nesterov": None}),
        (
            ["recipe.l2=1", "recipe.batch_size=9"],
            {"recipe.batch_size": 9, "recipe.l2": 1},
        ),
    ],
)
def test_a_variant_is_what_differs_from_the_recipe(
    words: list[str], changes: dict[str, object]
) -> None:
    config = compose(["model=lenet5", *words])
    assert variant(config) == changes
    assert list(variant(config)) == sorted(changes)
    assert identity(config.settings) != identity(compose(["model=lenet5"]).settings)


def test_other_files_of_ones_own_make_another_run() -> None:
    one, same, other = (
        identity(compose(["data=idx", f"data.root={root}"]).settings) for root in ("a", "a", "b")
    )
    assert one == same != other


def test_the_order_of_words_does_not_count() -> None:
    words = ["recipe.l2=0.1", "recipe/loss=cross_entropy", "model=mlp", "seed=3"]
    one, other = compose(words), compose(words[::-1])
    assert identity(one.settings) == identity(other.settings)
    assert variant(one) == variant(other)


def test_seed_and_test_tell_runs_apart_but_are_no_variant() -> None:
    plain = compose(["model=mlp"])
    for word in ("seed=1", "test=false", "trainer.precision=bf16-mixed", "data=mnist_5k"):
        other = compose(["model=mlp", word])
        assert identity(other.settings) != identity(plain.settings)
        assert variant(other) == {}
        assert run_name(other) != run_name(plain)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["recipe/optimizer=sgd"], "optimizer=SGD(fused=true, lr=0.003)"),
        (["recipe/augmentation=affine"], "augmentation=RandomAffine(rotation=10, shift=0.1, z"),
        (["recipe/augmentation=affine", "recipe.max_epochs=2"], "max_epochs=2, augmentation=Ran"),
        (["recipe.optimizer.lr=1e-5", "data.size=15000"], "size=15000, lr=1e-05"),
        (["recipe/loss=cross_entropy"], "loss=cross_entropy"),
        (["+recipe.optimizer.betas=[0.8,0.9]"], "betas=[0.8, 0.9]"),
        (["callbacks=early_stopping"], "early_stopping=EarlyStopping(mode=min, monitor="),
    ],
)
def test_a_variant_is_said_in_short_words(words: list[str], text: str) -> None:
    assert ", ".join(described(variant(compose(["model=mlp", *words])))).startswith(text)


def test_a_file_of_the_users_own_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\nlabel: mine\nseed: 7\nrecipe: {max_epochs: 3}\n"
    (tmp_path / "experiment/mine.yaml").write_text(text)
    path = f"hydra.searchpath=[file://{tmp_path}]"
    config = compose(["model=mlp", "experiment=mine", path, "recipe.l2=0.1"])
    assert variant(config) == {"recipe.l2": 0.1, "recipe.max_epochs": 3}
    assert run_name(config) == "mlp-mine_l2=0.1-seed7"


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    for rate in ("0.1", "0.2"):
        lines = f"defaults: [mlp, _self_]\noptimizer: {{lr: {rate}}}\n"
        (tmp_path / "recipe/mine.yaml").write_text(lines)
        config = compose(["model=mlp", "recipe=mine", f"hydra.searchpath=[file://{tmp_path}]"])
        assert config.recipe.optimizer["lr"] == float(rate)
        assert variant(config) == {}


def test_many_seeds_are_named_by_reading_the_files_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config, read = compose(["model=mlp", "recipe.max_epochs=3"]), []

    def composed(words: list[str]) -> DictConfig:
        read.append(words)
        return compose_files(words)

    compose_files = _composed
    monkeypatch.setattr("mnist_arch.runs.config._composed", composed)
    names = [run_name(replace(config, seed=seed)) for seed in range(20)]
    assert names == [f"mlp-max_epochs=3-seed{seed}" for seed in range(20)]
    assert len(read) == 1


def test_a_label_stands_for_what_its_experiment_file_changes_and_no_more() -> None:
    config = compose(["model=mlp", "experiment=distorted"])
    assert (label(config), run_name(config)) == ("distorted", "mlp-distorted-seed0")
    by_hand = compose(["model=mlp", "recipe/augmentation=affine"])
    assert label(by_hand) == ""
    assert variant(by_hand) == variant(config)
    more = compose(["model=mlp", "experiment=distorted", "recipe.max_epochs=3"])
    assert label(more) == "distorted, max_epochs=3"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["model=mlp", "recipe=modern"], "mlp-modern-seed0"),
        (["model=mlp", "recipe.max_epochs=3", "seed=12"], "mlp-max_epochs=3-seed12"),
        (["model=mlp", "data=mnist_5k", "test=false"], "mlp-mnist_5k-test=false-seed0"),
        (["model=mlp", "trainer.precision=bf16-mixed"], "mlp-precision=bf16-mixed-seed0"),
        (["model=mlp", "+recipe.optimizer.betas=[0.8,0.9]"], "mlp-betas=_0.8_0.9_-seed0"),
        (["model=mlp", "label='a/b c'"], "mlp-a_b_c-seed0"),
    ],
)
def test_a_name_says_what_is_special_and_no_file_system_dislikes_it(
    words: list[str], name: str
) -> None:
    assert run_name(compose(words)) == name


def test_a_long_name_is_cut_but_keeps_its_seed() -> None:
    name = run_name(compose(["model=mlp", "seed=12", f"label={'x' * 500}"]))
    assert len(name) < 120
    assert name.endswith("-seed12")


def test_a_word_that_is_no_setting_is_one_line_for_callers_too() -> None:
    with pytest.raises(UserError, match="no setting 'sede'; did you mean seed"):
        compose(["sede=1"])
