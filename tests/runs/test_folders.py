"""The names of runs: readable, free of what shells and file systems dislike, and never shared."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

import conf
from mnist_arch.errors import UserError
from mnist_arch.runs.folders import run_folder, run_name
from tests.runs.test_conf import composed


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
    together = Barrier(32)

    def run(_: int) -> Path:
        with run_folder(tmp_path / "runs", "mlp-seed0", "a: 1") as folder:
            together.wait(60)  # all of them are at work at the same time
            return folder

    with ThreadPoolExecutor(32) as pool:
        folders = list(pool.map(run, range(32)))
    names = {"mlp-seed0", *(f"mlp-seed0-{n}" for n in range(2, 33))}
    assert {folder.name for folder in folders} == names


def test_an_unfinished_run_is_taken_up_by_the_same_settings_only(tmp_path: Path) -> None:
    def lent(settings: str) -> str:
        with run_folder(tmp_path, "mlp-seed0", settings) as folder:
            assert (folder / "config.yaml").read_text() == settings
            return folder.name

    assert [lent("a: 1"), lent("a: 2"), lent("a: 1"), lent("a: 2")] == [
        "mlp-seed0",
        "mlp-seed0-2",
        "mlp-seed0",
        "mlp-seed0-2",
    ]
    (tmp_path / "mlp-seed0/record.json").write_text("{}")  # finished: never touched again
    assert lent("a: 1") == "mlp-seed0-3"


def test_a_folder_that_no_run_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlp-seed0").mkdir()
    with run_folder(tmp_path, "mlp-seed0", "a: 1") as folder:
        assert folder.name == "mlp-seed0-2"
    assert list((tmp_path / "mlp-seed0").iterdir()) == []


def test_a_folder_is_left_without_its_lock(tmp_path: Path) -> None:
    with run_folder(tmp_path, "mlp-seed0", "a: 1") as folder:
        assert {path.name for path in folder.iterdir()} == {"config.yaml", ".lock"}
    assert {path.name for path in folder.iterdir()} == {"config.yaml"}


def test_a_folder_of_another_process_is_left_to_it_until_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from mnist_arch.runs.folders import run_folder
with run_folder(pathlib.Path({str(tmp_path)!r}), "mlp-seed0", "a: 1"):
    print("here", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"here\n"
        with run_folder(tmp_path, "mlp-seed0", "a: 1") as folder:
            assert folder.name == "mlp-seed0-2"
        other.kill()
    with run_folder(tmp_path, "mlp-seed0", "a: 1") as folder:
        assert folder.name == "mlp-seed0"


def test_a_place_that_cannot_hold_folders_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="file: cannot make a folder in it"),
        run_folder(tmp_path / "file", "mlp-seed0", "a: 1"),
    ):
        pass
