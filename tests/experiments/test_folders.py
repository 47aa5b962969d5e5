"""The names of runs: readable, free of what shells and file systems dislike, and never shared."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import conf
from experiments.folders import new_folder, run_name
from mnist_arch.errors import UserError
from tests.experiments.test_conf import composed


@pytest.fixture(scope="module")
def mlp() -> conf.Config:
    return composed("model=mlp")


@pytest.mark.parametrize(
    ("recipe", "overrides", "name"),
    [
        ("mlp", ["model=mlp"], "mlp-seed0"),
        ("modern", ["model=mlp", "recipe=modern"], "mlp-modern-seed0"),
        ("mlp", ["recipe.max_epochs=3", "seed=0"], "mlp-max_epochs=3-seed0"),
        ("mlp", ["runs=/tmp/x", "data.root=/y", "hydra.verbose=true"], "mlp-seed0"),
        ("mlp", ["recipe.optimizer._target_=torch.optim.SGD"], "mlp-optimizer=SGD-seed0"),
        ("mlp", ["+recipe.optimizer.betas=[0.8,0.9]"], "mlp-betas=_0.8_0.9_-seed0"),
        ("mlp", ["recipe.note='a/b c'"], "mlp-note=_a_b_c_-seed0"),
    ],
)
def test_a_name_says_what_is_special(
    mlp: conf.Config, recipe: str, overrides: list[str], name: str
) -> None:
    assert run_name(mlp, recipe, overrides) == name


def test_a_long_name_is_cut_but_keeps_its_seed(mlp: conf.Config) -> None:
    name = run_name(replace(mlp, seed=12), "mlp", [f"recipe.note={'x' * 500}"])
    assert len(name) < 120
    assert name.endswith("-seed12")


def test_runs_that_start_together_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path / "runs", "mlp-seed0"), range(64)))
    assert len(set(folders)) == 64
    names = {"mlp-seed0", *(f"mlp-seed0-{n}" for n in range(2, 65))}
    assert {folder.name for folder in folders} == names


def test_a_place_that_cannot_hold_folders_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: cannot make a folder in it"):
        new_folder(tmp_path / "file", "mlp-seed0")
