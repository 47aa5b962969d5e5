"""The folders of runs: never shared, resumed by equal runs only, left alone when finished."""

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from omegaconf import OmegaConf

from mnist_arch.errors import UserError
from mnist_arch.runs.config import compose
from mnist_arch.runs.folders import finished, run_folder

MLP, SLOWER = compose(["model=mlp"]), compose(["model=mlp", "recipe.optimizer.lr=1e-4"])
ELSEWHERE = compose(["model=mlp", "trainer.threads=1", "figures=false", "logger=csv"])


def test_runs_that_start_together_never_share_a_folder(tmp_path: Path) -> None:
    together = Barrier(8)

    def run(_: int) -> Path:
        with run_folder(tmp_path / "runs", "mlp-seed0", MLP) as folder:
            together.wait(600)  # all of them are at work at the same time
            return folder

    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(run, range(8)))
    names = {"mlp-seed0", *(f"mlp-seed0-{n}" for n in range(2, 9))}
    assert {folder.name for folder in folders} == names


def test_an_unfinished_run_is_resumed_by_equal_settings_only(tmp_path: Path) -> None:
    names = []
    for config in (MLP, SLOWER, ELSEWHERE, SLOWER):
        with run_folder(tmp_path, "mlp-seed0", config) as folder:
            kept = OmegaConf.load(folder / "config.yaml")
            assert kept.recipe.optimizer.lr == config.recipe.optimizer["lr"]
            names.append(folder.name)
    assert names == ["mlp-seed0", "mlp-seed0-2", "mlp-seed0", "mlp-seed0-2"]
    assert finished(tmp_path, MLP) is None
    (tmp_path / "mlp-seed0/record.json").write_text("{}")  # finished: never touched again
    assert finished(tmp_path, ELSEWHERE) == tmp_path / "mlp-seed0"
    assert finished(tmp_path, replace(ELSEWHERE, again=True)) is None
    assert finished(tmp_path, SLOWER) is None
    with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
        assert folder.name == "mlp-seed0-3"


@pytest.mark.parametrize("content", [None, "", "[1, 2]", "a: [", "a: 1", "text", "a: &a [*a]"])
def test_a_folder_that_no_run_made_is_left_alone(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "mlp-seed0").mkdir()
    if content is not None:
        (tmp_path / "mlp-seed0/config.yaml").write_text(content)
    before = list((tmp_path / "mlp-seed0").iterdir())
    with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
        assert folder.name == "mlp-seed0-2"
    assert list((tmp_path / "mlp-seed0").iterdir()) == before


def test_a_folder_of_a_process_that_was_killed_before_it_wrote_a_word_is_taken(
    tmp_path: Path,
) -> None:
    (tmp_path / "mlp-seed0").mkdir()
    (tmp_path / "mlp-seed0/.lock").touch()
    (tmp_path / "mlp-seed0/config.yaml.part").write_text("seed: 0\nru")
    with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
        assert folder.name == "mlp-seed0"
    assert {path.name for path in folder.iterdir()} == {"config.yaml"}


def test_a_folder_is_left_without_its_lock(tmp_path: Path) -> None:
    with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
        assert {path.name for path in folder.iterdir()} == {"config.yaml", ".lock"}
    assert {path.name for path in folder.iterdir()} == {"config.yaml"}


def test_a_folder_of_another_process_is_left_to_it_until_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from mnist_arch.runs.config import compose
from mnist_arch.runs.folders import run_folder
with run_folder(pathlib.Path({str(tmp_path)!r}), "mlp-seed0", compose(["model=mlp"])):
    print("here", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"here\n"
        with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
            assert folder.name == "mlp-seed0-2"
        other.kill()
    with run_folder(tmp_path, "mlp-seed0", MLP) as folder:
        assert folder.name == "mlp-seed0"


def test_a_place_that_cannot_hold_folders_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="file: cannot make a folder in it"),
        run_folder(tmp_path / "file", "mlp-seed0", MLP),
    ):
        pass


def test_where_locks_are_refused_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a network file system without its lock daemon."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(UserError, match=f"runs={tmp_path}: its file system refuses locks"),
        run_folder(tmp_path, "mlp-seed0", MLP),
    ):
        raise AssertionError("two runs could be in one folder")
    assert [*tmp_path.iterdir()] == []
