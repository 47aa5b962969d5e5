"""The command that shows what is in the data."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from matplotlib.image import imread

from mnist_arch.reports import exploration as report
from mnist_arch.reports.exploration import Exploration
from mnist_arch.runs.records import read_as
from tests.reports.test_exploration import PICTURES

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_says_and_draws_what_there_is(command: Command, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()  # which hold published pages
    done = command("experiments.explore", "--data", "mnist_5k")
    assert done.returncode == 0, done.stderr
    paths = [f"explored/mnist_5k_{name}.png" for name in PICTURES]
    lines = [*paths, "explored/mnist_5k.json", "explored/mnist_5k.md"]
    record = read_as(Exploration, tmp_path / "explored/mnist_5k.json")
    assert done.stdout.splitlines() == [*report.text(record).splitlines(), *lines]
    assert record.provenance.command == "python -m experiments.explore --data mnist_5k"
    assert [sum(counts) for counts in record.counts.values()] == [4000, 500, 500]
    pictures = {name: Path(path).name for name, path in zip(PICTURES, paths, strict=True)}
    assert (tmp_path / "explored/mnist_5k.md").read_text() == report.page(record, pictures)
    for path in paths:
        assert imread(tmp_path / path).std() > 0.05  # not blank
    assert len(list((tmp_path / "explored").iterdir())) == 9
    assert not list((tmp_path / "docs").iterdir())


def test_a_mistake_is_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command("experiments.explore", "--data", "mnist_5k", "--out", "file")
    expected = "error: --out file: is not a folder; name one for the pictures\n"
    assert (done.returncode, done.stderr) == (2, expected)
    done = command("experiments.explore", "--data", "mnist5k")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no data set 'mnist5k'" in done.stderr
    assert not (tmp_path / "docs").exists()
