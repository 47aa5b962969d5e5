"""The command that tests runs on corrupted images, and draws the results."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.image import imread

from experiments.robustness import main
from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.errors import UserError
from mnist_arch.reports.figures.digits import GAP, SCALE, TITLE
from tests.analysis.test_robustness import run

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_one_command_tests_a_run_draws_it_and_shows_the_corruptions(
    command: Command, tmp_path: Path
) -> None:
    run(tmp_path / "runs/dense-seed0")
    (tmp_path / "docs").mkdir()
    words = ["runs/dense-seed0", "--from-records", "--sheet", "--data", "mnist_5k"]
    done = command("experiments.robustness", *words)
    assert done.returncode == 0, done.stderr
    first, *written = done.stdout.splitlines()
    assert first.startswith("results/robustness/dense-seed0.json, percent correct: rotation 180: ")
    names = ("robustness.png", "robustness_mnist_c.png", "claims.md", "corruptions.png")
    assert written == [f"docs/{name}" for name in names]
    assert "83/83" in done.stderr  # tests, with the time that is left
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(names)

    picture = imread(tmp_path / "docs/corruptions.png")[..., 0]
    side = SCALE * (28 + 2 * GAP)
    rows = 1 + len(CORRUPTIONS)
    assert len(picture) == TITLE + rows * side + GAP
    left = picture.shape[1] - 10 * side - GAP  # where the labels stand
    assert picture[:, :4].min() == 1  # no label is cut off
    digits = picture[TITLE : TITLE + rows * side, left:-GAP]
    assert len({row.tobytes() for row in digits.reshape(rows, side, -1)}) == rows
    for name in names[:2]:
        assert imread(tmp_path / "docs" / name).shape[1:] == (900, 4)

    before = {path: path.read_bytes() for path in (tmp_path / "docs").iterdir()}
    again = command("experiments.robustness", *words)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert again.stderr == ""  # nothing was left to test
    assert {path: path.read_bytes() for path in (tmp_path / "docs").iterdir()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to do; name runs, --from-records or --sheet"),
        (["--sheet", "--docs", "dosc"], "--docs dosc: there is no such folder"),
        (
            ["--from-records", "--docs", "."],
            "results/robustness: no records of mnist there; test a",
        ),
        (["nowhere"], "nowhere: no such run folder"),
    ],
)
def test_a_mistake_is_named_and_nothing_written(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["experiments.robustness", *words])
    with pytest.raises(UserError, match=message):
        main()
    assert not list(tmp_path.iterdir())
