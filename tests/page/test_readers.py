"""Pictures read on several cores: right, and nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_arch.errors import UserError
from mnist_arch.page import readers
from mnist_arch.page.readers import Found, Readers, find_signs
from tests.factories import FIVE, SEVEN
from tests.page.factories import picture


@pytest.fixture
def two() -> Iterator[Readers]:
    two = Readers(2)
    yield two
    two.close()


def children(process: int) -> list[int]:
    return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]


def assert_equal(found: Found, expected: Found) -> None:
    assert found[1] == expected[1]
    for sign, other in zip(found[0], expected[0], strict=True):
        assert (sign.image == other.image).all()
        assert (sign.box, sign.doubts) == (other.box, other.doubts)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The event for which whatever is read by a thread waits."""
    release = threading.Event()

    def wait(*args: Any, **options: Any) -> Found:
        assert release.wait(60)
        return find_signs(*args, **options)

    monkeypatch.setattr(readers, "find_signs", wait)
    return release


async def beside(two: Readers, held: threading.Event, ask: Callable[[], Any]) -> Any:
    """Ask while a thread reads a picture."""
    reading = asyncio.create_task(two.find(picture(FIVE), number=False))
    await asyncio.sleep(0)
    try:
        return await ask()
    finally:
        held.set()
        assert_equal(await reading, find_signs(picture(FIVE), number=False))


def test_a_picture_is_read_while_another_one_is(two: Readers, held: threading.Event) -> None:
    found = asyncio.run(beside(two, held, lambda: two.find(picture(SEVEN), number=True)))
    assert_equal(found, find_signs(picture(SEVEN), number=True))


def test_what_is_no_picture_is_refused_as_ever(two: Readers, held: threading.Event) -> None:
    with pytest.raises(UserError, match="this file: no picture of"):
        asyncio.run(beside(two, held, lambda: two.find(b"rubbish", number=False)))


def test_a_picture_whose_reader_is_killed_is_read_again(
    two: Readers, held: threading.Event
) -> None:
    async def killed() -> Found:
        await two.find(picture(SEVEN), number=False)
        for reader in two._processes._processes:  # type: ignore[union-attr]
            os.kill(reader, signal.SIGKILL)
        held.set()  # it is read by a thread
        return await two.find(picture(SEVEN), number=False)

    found = asyncio.run(beside(two, held, killed))
    assert_equal(found, find_signs(picture(SEVEN), number=False))


PARENT = """
import asyncio, sys, threading
from mnist_arch.page import readers

async def read():
    two, content = readers.Readers(2), sys.stdin.buffer.read()
    held = threading.Event()
    reading = asyncio.create_task(asyncio.to_thread(held.wait))
    async with two._thread:
        await two.find(content, number=False)
    print("read", flush=True)
    await reading

if __name__ == "__main__":
    asyncio.run(read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_readers_end_with_their_parent_however_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, script], **pipes) as parent:
        parent.stdin.write(picture(FIVE))
        parent.stdin.close()
        assert parent.stdout.readline() == b"read\n"
        readers = children(parent.pid)
        assert readers
        parent.kill()
    until = time.monotonic() + 60
    while alive := [each for each in readers if _runs(each)]:
        assert time.monotonic() < until, alive
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
