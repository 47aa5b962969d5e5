"""The command that serves the page: which runs it shows, what it trains, how it ends."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_arch
from experiments import page as command
from experiments.page import first_seeds, listening, train
from mnist_arch.errors import UserError
from mnist_arch.inference.page.app import Step

ROOT = Path(mnist_arch.__file__).parent.parent


def test_nets_are_trained_by_the_command_that_trains_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    quick = ("model=dense", "data=mnist_5k", "recipe.max_epochs=2")
    monkeypatch.setattr(command, "QUICK", (quick, ("model=nonsense",)))

    async def collect(seen: list[Step]) -> None:
        async for step in train():
            seen.append(step)  # noqa: PERF401 those before the error

    async def steps() -> list[Step]:
        seen: list[Step] = []
        with pytest.raises(UserError, match="training nonsense failed: model=nonsense: no such"):
            await collect(seen)
        return seen

    run = Path("runs/dense-mnist_5k-max_epochs=2-seed0")
    assert asyncio.run(steps()) == [
        Step("dense"),
        *(Step("dense", epoch, 2) for epoch in (1, 2)),
        Step("dense", run=run),
        Step("nonsense"),
    ]
    assert first_seeds(Path("runs")) == [run]
    shutil.copytree(run, "runs/another")  # of the same kind: the first seed counts
    record = Path("runs/another/record.json")
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    assert first_seeds(Path("runs")) == [run]
    record.write_text("{}")
    assert first_seeds(Path("runs")) == [run]


def test_the_command_says_its_address_and_ends_quietly(tmp_path: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "experiments.page", "--port", "0"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout
    line = started.stdout.readline()
    assert line.startswith("http://127.0.0.1:")
    port = int(line.split()[0].rpartition(":")[2])
    with pytest.raises(UserError, match=f"--port {port}: Address already in use"):
        listening("127.0.0.1", port)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert (started.returncode, errors) == (0, "")
    assert not [*tmp_path.iterdir()]
