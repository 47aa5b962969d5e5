"""What Ctrl-C and SIGTERM leave: a word, an exit code, and nothing lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mnist_arch.runs import resumption

LONG = ["model=dense", "data=mnist_5k", "recipe.max_epochs=2000", "figures=false"]


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a folder, which is killed if the test leaves it running."""
    with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.run", *words],
            cwd=folder,
            env=os.environ | {"MNIST_ARCH_DATA": str(folder / "cache")},
            stdout=out,
            stderr=err,
            text=True,
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that the process does."""
    while not condition():
        assert process.poll() is None, "it ended too early"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("signals", "code", "word"),
    [
        ([signal.SIGTERM], 143, "terminated"),
        ([signal.SIGINT], 130, "interrupted"),
        ([signal.SIGINT, signal.SIGINT], 130, "interrupted"),
    ],
)
def test_a_signal_ends_a_training_with_a_word_and_what_is_saved(
    tmp_path: Path, signals: list[signal.Signals], code: int, word: str
) -> None:
    errors = tmp_path / "err.txt"
    with running(tmp_path, *LONG) as process:
        until(lambda: "epoch    2/2000" in errors.read_text(), process)
        for each in signals:
            process.send_signal(each)
            time.sleep(0.1)
        assert process.wait(60) == code
    lines = errors.read_text().splitlines()
    assert "Traceback" not in errors.read_text()
    assert lines[-1] == word
    assert lines[-2].endswith(" epochs are saved: the same command resumes from there")
    (run,) = (tmp_path / "runs").iterdir()
    assert {path.name for path in (run / "checkpoints").iterdir()} <= {
        "last.ckpt",
        "previous.ckpt",
    }
    assert not (run / "record.json").exists()


def test_a_sweep_that_is_ended_shows_what_is_finished(tmp_path: Path) -> None:
    errors = tmp_path / "err.txt"
    words = ["-m", *LONG[:2], "recipe.max_epochs=1,2000,3000", "figures=false"]
    with running(tmp_path, *words) as process:
        until(lambda: "epoch    2/2000" in errors.read_text(), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    out = (tmp_path / "out.txt").read_text()
    assert "accuracy" in out  # the table of the one run
    assert "table.csv" in out
    text = errors.read_text()
    assert "2 of 3 jobs are not finished:" in text
    assert "  2 more\n" in text
    assert "Traceback" not in text
    assert text.splitlines()[-1] == "terminated"


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes of joblib's pool."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_text().split("\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and any("LokyProcess" in word for word in words):
                found.append(int(path.name))
    return found


def test_a_killed_worker_is_named_and_what_is_finished_shown(tmp_path: Path) -> None:
    words = ["-m", *LONG[:2], "launcher=joblib", "hydra.launcher.n_jobs=2", "figures=false"]
    with running(tmp_path, *words, "recipe.max_epochs=1,3000,3001,3002") as process:
        until(lambda: len([*(tmp_path / "runs").glob("*/checkpoints/last.ckpt")]) == 3, process)
        os.kill(workers(process)[0], signal.SIGKILL)
        assert process.wait(60) == 2
    text = (tmp_path / "err.txt").read_text()
    assert "3 of 4 jobs are not finished:" in text
    assert text.splitlines()[-1].startswith("error: a process of the launcher was killed")
    assert "Traceback" not in text
    assert "accuracy" in (tmp_path / "out.txt").read_text()


def test_a_training_that_is_ended_within_an_epoch_is_saved_there_and_resumed(
    tmp_path: Path,
) -> None:
    errors = tmp_path / "err.txt"
    words = ["model=dense", "data=mnist_5k", "recipe.batch_size=1", "recipe.max_epochs=900"]
    checkpoint = "checkpoints/last.ckpt"
    with running(tmp_path, *words, "trainer.save_every=0.1") as process:
        until(lambda: any((tmp_path / "runs").glob(f"*/{checkpoint}")), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    saved, word = errors.read_text().splitlines()[-2:]
    assert word == "terminated"
    epochs = float(saved.partition(" of 900 epochs are saved: the same command")[0])
    (run,) = (tmp_path / "runs").iterdir()
    place = resumption.newest(run)
    assert place
    assert epochs == pytest.approx(place.place.epochs + place.place.steps / 4000, abs=0.01)
    with running(tmp_path, f"resume=runs/{run.name}", "trainer.save_every=0.1") as process:
        before = (run / checkpoint).stat().st_mtime_ns
        until(lambda: (run / checkpoint).stat().st_mtime_ns > before, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    first, *_ = errors.read_text().splitlines()
    assert first == f"runs/{run.name}/{checkpoint}: resuming {place.place}"
    further = resumption.newest(run)
    assert further
    assert further.place > place.place
