"""Seconds to 99 %: what counts of a program's lines, and that ours prints them, too."""

import shlex
import sys
import time
from pathlib import Path

import pytest

from experiments.speedrun import Point, row, run, speedrun
from mnist_arch.errors import UserError

PEER = """
import json, sys, time
seed = int(sys.argv[1])
print("a word before")
for epochs in (1, 2, 3):
    accuracy = 98 + epochs / 2 - seed / 10
    line = {"started": time.time(), "epochs": epochs, "seconds": 10.0 * epochs + seed}
    print(json.dumps(line | {"accuracy": accuracy}))
"""


@pytest.fixture
def peer(tmp_path: Path) -> str:
    program = tmp_path / "peer.py"
    program.write_text(PEER)
    return shlex.join([sys.executable, str(program)])


def test_the_first_point_of_which_the_mean_reaches_99_counts() -> None:
    """Not the first at which one run does, nor the last."""
    first = [Point(1, 4, 6, 98.8), Point(2, 8, 10, 99.05), Point(3, 12, 14, 99.3)]
    second = [Point(1, 5, 8, 99.1), Point(2, 10, 13, 98.99), Point(3, 15, 18, 99.3)]
    assert row("peer", [first, second]) == ("peer", 2, 2, 99.02, 98.99, 9, 11.5)
    assert row("peer", [first, second]).reached


def test_a_program_that_never_reaches_it_stands_there_with_its_end() -> None:
    never = row("peer", [[Point(1, 4, 6, 98.8), Point(2, 8, 10, 98.98)]])
    assert (never.epochs, never.accuracy, never.reached) == (2, 98.98, False)


def test_a_peer_is_run_with_each_seed_and_its_start_is_timed(peer: str) -> None:
    begun = time.time()
    (only,) = speedrun([], {"another": peer}, range(3))
    took = time.time() - begun
    assert only[:3] == ("another", 3, 3)  # at two epochs seeds 0 to 2 have 98.9 % on the average
    assert (only.accuracy, only.least, only.seconds) == pytest.approx((99.4, 99.3, 31))
    assert 0 < only.whole - only.seconds < took


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import nothing_of_that_name", "exit code 1: ModuleNotFoundError"),
        ("print('99 %')", "exit code 0: it printed no line of JSON"),
    ],
)
def test_a_peer_that_fails_is_named(program: str, message: str) -> None:
    command = shlex.join([sys.executable, "-c", program])
    with pytest.raises(UserError, match=message):
        speedrun([], {"another": command}, [0])


def test_ours_prints_its_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = time.time()
    line = run(0, ["data=mnist_5k", "recipe.max_epochs=3"])
    assert begun < line["started"] < line["started"] + line["seconds"] < time.time()
    assert (line["epochs"], 80 < line["accuracy"] <= 100) == (3, True)
    assert list(tmp_path.iterdir()) == []
