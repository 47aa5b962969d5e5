"""The figure of the distortions, from the command to its pixels."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from matplotlib.image import imread

from mnist_arch.reports.figures.digits import GAP, SCALE, TITLE

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_picture_shows_every_distortion_and_is_the_same_twice(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()  # which hold published pages
    for name, words in (("distortions.png", []), ("two.png", ["--out", "two.png"])):
        done = command("experiments.distortions", "--data", "mnist_5k", *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{name}\n"
    assert (tmp_path / "distortions.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "distortions.png").read_bytes()  # nor its version
    assert {path.name for path in tmp_path.iterdir()} == {"distortions.png", "two.png", "docs"}
    assert not list((tmp_path / "docs").iterdir())

    picture = imread(tmp_path / "distortions.png")[..., 0]  # (rows, columns), 0 black to 1 white
    side = SCALE * (28 + 2 * GAP)
    assert len(picture) == TITLE + 12 * side + GAP
    left = picture.shape[1] - 10 * side - GAP  # where the labels stand
    assert picture[:, :4].min() == 1  # no label is cut off
    assert picture[:TITLE, -4:].min() == 1  # nor the title
    rows = picture[TITLE : TITLE + 12 * side, left:-GAP].reshape(12, side, -1)
    for number, row in enumerate(rows):
        assert 0.05 < (row < 0.5).mean() < 0.3  # ink
        labels = picture[TITLE + number * side : TITLE + (number + 1) * side, :left]
        assert (labels < 0.5).any()
    assert len({row.tobytes() for row in rows}) == 12


def test_a_folder_that_is_not_there_is_not_made(command: Command, tmp_path: Path) -> None:
    done = command("experiments.distortions", "--data", "mnist_5k", "--out", "dosc/some.png")
    assert done.returncode == 2
    assert done.stderr == "error: dosc/some.png: there is no folder dosc\n"
    assert not list(tmp_path.iterdir())
