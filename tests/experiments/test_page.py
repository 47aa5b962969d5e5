"""The command that serves the page: which runs it shows, what it trains, how it ends."""

import asyncio
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import mnist_arch
from experiments import page as command
from experiments.page import first_seeds, listening, train
from mnist_arch.errors import UserError
from mnist_arch.page.app import Step

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


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command in a folder; gives its process and the address that it says."""
    started = subprocess.Popen(
        [sys.executable, "-m", "experiments.page", "--port", "0", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout
    try:
        yield started, started.stdout.readline().split()[0]
    finally:
        started.kill()
        started.communicate()


def ended(started: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C; returns the exit code and what was said on standard error."""
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    return started.returncode, errors


def test_the_command_says_its_address_and_ends_quietly(tmp_path: Path) -> None:
    with serving(tmp_path) as (started, address):
        assert address.startswith("http://127.0.0.1:")
        port = int(address.rpartition(":")[2])
        with pytest.raises(UserError, match=f"--port {port}: Address already in use"):
            listening("127.0.0.1", port)
        assert ended(started) == (0, "")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("host", "status", "said"),
    [
        ("127.0.0.1", 403, ""),
        ("0.0.0.0", 200, "warning: --host 0.0.0.0: others can reach the page\n"),
    ],
)
def test_other_machines_reach_the_page_only_where_that_was_asked_for(
    tmp_path: Path, host: str, status: int, said: str
) -> None:
    """They know this machine by another name, which a loopback's server refuses."""
    with serving(tmp_path, "--host", host) as (started, address):
        port = int(address.rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as asked:
            asked.request("GET", "/", headers={"Host": "classroom.example"})
            assert asked.getresponse().status == status
        assert ended(started) == (0, said)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_its_extra_the_command_says_how_to_get_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        """Knows that a module is not installed."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [*sys.modules]:
        if name.startswith(("mnist_arch.page", "starlette", "uvicorn")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sys.meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setattr("sys.argv", ["experiments.page"])
    said = rf"{missing} is missing: pip install 'mnist_arch\[page\]'"
    with pytest.raises(UserError, match=said):
        command.main()
