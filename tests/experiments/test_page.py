"""The command that serves the page: who reaches it, and how it ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import mnist_arch
from experiments import page as command
from experiments.page import listen
from mnist_arch import page
from mnist_arch.errors import UserError
from tests.factories import finished_run

ROOT = Path(mnist_arch.__file__).parent.parent
SHOWN = [each for each in mnist_arch.weights() if each.record.recipe != "modern"]


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command in a folder; gives its process and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.page", "--port", "0", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().split()[0]
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C; returns the exit code and standard error."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as browser:
        browser.request(method, path, headers=headers)
        answer = browser.getresponse()
        return answer.status, answer.read().decode()


def test_without_runs_the_networks_of_the_package_are_shown_to_this_machine_only(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        port = int(address.rpartition(":")[2])
        with pytest.raises(UserError, match=f"--port {port}: Address already in use"):
            listen("127.0.0.1", port)
        assert ask(port, "GET", "/", Host="classroom.example")[0] == 403
        state = json.loads(ask(port, "GET", "/state")[1])
        assert len(state["nets"]) == len(SHOWN) > 0
        assert all(net["shipped"] for net in state["nets"])
        assert ended(process) == (0, "")
    assert not [*tmp_path.iterdir()]


def test_no_part_of_an_answer_waits_until_the_one_before_is_acknowledged() -> None:
    """Nagle's algorithm (RFC 896) holds it back for the 40 ms that Linux waits with that."""
    with listen("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_run_is_shown_beside_the_networks_of_the_package_or_by_itself(tmp_path: Path) -> None:
    finished_run(tmp_path / "runs/mine", label="mine")
    for words, counted in (((), True), (("--only", "runs/mine"), False)):
        with serving(tmp_path, *words) as (_, address):
            port = int(address.rpartition(":")[2])
            nets = json.loads(ask(port, "GET", "/state")[1])["nets"]
            assert len(nets) == 1 + counted * len(SHOWN)
            assert (nets[-1]["title"], nets[-1]["shipped"]) == ("MLP (mine)", False)


def test_only_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["experiments.page", "--only"])
    with pytest.raises(UserError, match="--only: name"):
        command.main()


def test_the_command_serves_other_machines_where_it_is_told_to_and_warns(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as (process, address):
        port = int(address.rpartition(":")[2])
        assert ask(port, "GET", "/", Host="classroom.example")[0] == 200
        code, errors = ended(process)
        assert (code, errors.count("\n")) == (0, 1)
        assert errors.startswith("warning: --host 0.0.0.0")


def test_the_command_ends_quietly_while_a_client_hangs(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, address):
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as line:
            head = "POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            line.sendall(f"{head}Content-Length: 1000\r\n\r\nx".encode())
            assert ask(port, "GET", "/state")[0] == 200
            assert ended(process) == (0, "")


def test_a_picture_of_30_mb_is_told_that_it_is_too_large(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, address):
        port = int(address.rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as browser:
            browser.request("POST", "/classify", bytes(30_000_000), {"Content-Type": "image/png"})
            answer = browser.getresponse()
            assert answer.status == 413
            assert b"10 MB" in answer.read()


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
    monkeypatch.setattr(mnist_arch, "page", page)  # put back afterwards: other tests patch it
    monkeypatch.setattr("sys.meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setattr("sys.argv", ["experiments.page"])
    with pytest.raises(UserError, match=rf"{missing} is missing: .*mnist_arch\[page\]"):
        command.main()
