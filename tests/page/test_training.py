"""Training in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import mnist_arch
from mnist_arch.page.nets import first_seeds
from mnist_arch.page.training import DIED, JOBS, Step, Training, _train
from mnist_arch.runs import records
from mnist_arch.runs.config import compose

DENSE = ("model=dense", "data=mnist_5k", "recipe.max_epochs=2", "trainer.threads=1")
ROOT = Path(mnist_arch.__file__).parent.parent
SERVER = """
import time
from mnist_arch.page.training import Training

if __name__ == "__main__":
    training = Training([["model=dense", "data=mnist_5k", "recipe.max_epochs=100000"]])
    training.start()
    while not any(step.epoch for step in training.steps.values()):
        training.update()
        time.sleep(0.05)
    print(training.steps, flush=True)
    time.sleep(100)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(training: Training) -> bool:
    training.update()
    return not training.running


def test_progress_is_reported_epoch_by_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[Step] = []
    _train(DENSE, steps.append)
    folder = "runs/dense-mnist_5k-max_epochs=2-seed0"
    epochs = [Step("dense", epoch, 2) for epoch in (0, 1, 2)]
    assert steps == [Step("dense"), *epochs, Step("dense", folder=folder)]
    assert first_seeds(Path("runs")) == [Path(folder)]
    assert records.read(Path(folder)).provenance.command.endswith(" ".join(DENSE))

    _train(DENSE, steps.append)  # after a later job failed
    assert steps[5:] == [steps[0], steps[4]]


def test_the_jobs_that_the_page_offers_are_settings() -> None:
    assert [compose(job).model.name for job in JOBS] == ["mlp", "lenet5"]
    assert [compose(job).trainer["threads"] for job in JOBS] == [1, 1]


def test_a_users_mistake_arrives_as_one_line() -> None:
    training = Training([["model=nonsense"]])
    training.start()
    wait_for(lambda: ended(training))
    assert training.error
    assert training.error.startswith("model=nonsense: no such choice")
    assert "\n" not in training.error


def test_a_process_that_dies_is_an_error() -> None:
    training = Training([DENSE])
    training.start()
    training._process.kill()
    wait_for(lambda: ended(training))
    assert training.error == DIED


def test_stopping_ends_the_process() -> None:
    training = Training([DENSE])
    training.start()
    process = training._process
    training.start()  # changes nothing: it is running
    assert training._process is process
    training.stop()
    assert process.exitcode == -signal.SIGKILL
    assert not training.running


def test_training_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    server = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    assert server.stdout.readline()
    server.kill()
    server.communicate(timeout=60)  # until the output, which both processes hold, is closed
