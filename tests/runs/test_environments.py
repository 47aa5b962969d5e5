"""Where a run is made, and what the machine refuses: the right result, or one clear line."""

import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.words import runs
from mnist_arch.analysis.comparison import compare
from mnist_arch.runs import records
from mnist_arch.runs.config import Config, compose
from mnist_arch.runs.folders import finished
from mnist_arch.runs.train import Run, train
from tests.factories import finished_run

WORDS = ["model=dense", "data=mnist_5k", "data.size=100", "recipe.max_epochs=2"]
QUIET = ["figures=false", "logger=none", "trainer.accelerator=cpu"]
ODD = "a b ü=,[1]{2}(3)'%~ é"


def settings(runs: Path, *words: str) -> Config:
    return replace(compose([*WORDS, *QUIET, *words]), runs=str(runs))


def result(run: Run) -> object:
    record = run.record
    return record.weights_sha256, record.scores, record.history


def test_no_name_of_a_folder_changes_a_result_or_loses_it(tmp_path: Path) -> None:
    plain = train(settings(tmp_path / "runs"))
    odd = [train(settings(tmp_path / ODD, f"seed={seed}")) for seed in (0, 1)]
    assert result(odd[0]) == result(plain)
    assert finished(tmp_path / ODD, settings(tmp_path)) == odd[0].folder
    named = runs([run.folder for run in odd])
    assert named == [run.folder for run in odd]
    assert len(compare(named).nets) == 2


def test_a_run_is_found_by_every_way_to_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(settings(tmp_path / "runs"))
    (tmp_path / "link").symlink_to("runs")
    monkeypatch.chdir(tmp_path)
    for way in (Path("runs"), Path("link"), tmp_path / "link", Path("link/../runs")):
        found = finished(way, settings(way))
        assert found is not None
        assert found.resolve() == run.folder


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> object:
    return result(train(settings(tmp_path_factory.mktemp("runs"), "seed=3")))


@pytest.mark.parametrize("room", [100, 20_000, 100_000])
def test_a_full_disk_leaves_nothing_half_written_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, undisturbed: object, room: int
) -> None:
    """Too little for the settings, the predictions, and the checkpoints."""
    config = settings(tmp_path / "runs", "seed=3")
    with room_for(room):
        try:
            done = result(train(config))
        except OSError as error:
            done = error.strerror
    assert [*tmp_path.rglob("*.part")] == []
    assert done in (undisturbed, "File too large")
    assert result(train(config)) == undisturbed


def test_a_page_is_printed_where_letters_are_missing(tmp_path: Path) -> None:
    for seed in (0, 1):
        finished_run(tmp_path / f"mlp-{seed}", seed=seed, label="größer als 日本", history={})
    done = subprocess.run(
        [sys.executable, "-m", "experiments.report", str(tmp_path)],
        env=os.environ | {"PYTHONIOENCODING": "cp1252", "LC_ALL": "C"},
        capture_output=True,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert rb"als \u65e5\u672c" in done.stdout


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = f"cd {tmp_path}/gone && rmdir ../gone && exec {sys.executable} -m experiments."
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for words in ("compare runs/*", "run model=dense data=mnist_5k"):
        done = subprocess.run(
            ["sh", "-c", script + words], capture_output=True, text=True, env=environment
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1


def test_a_name_that_is_not_text_spoils_no_record(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    config = settings(tmp_path / name)
    run = train(config, command=f"python -m experiments.run runs={name}")
    record = records.read(run.folder)
    assert record.provenance.command == r"python -m experiments.run runs=caf\udce9"
    assert record.config["runs"] == rf"{tmp_path}/caf\udce9"
    assert finished(tmp_path / name, config) == run.folder


def test_a_clock_that_jumps_changes_neither_results_nor_what_they_took(
    tmp_path: Path, undisturbed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, years = time.time, itertools.cycle((-3e8, 0, 3e8))
    monkeypatch.setattr(time, "time", lambda: now() + next(years))
    config = settings(tmp_path / "runs", "seed=3", "logger=tensorboard")
    begun = time.monotonic()
    run = train(config)
    took = time.monotonic() - begun
    assert result(run) == undisturbed
    assert sum(run.record.seconds.values()) <= took
    assert min(run.record.seconds.values()) >= 0
