"""The command that shows what is in the data."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.image import imread

from experiments.explore import distorted, pictures
from mnist_arch.data.splits import Split
from tests.data.test_exploration import PICTURES

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_says_and_draws_what_there_is(command: Command, tmp_path: Path) -> None:
    done = command("experiments.explore", "--data", "mnist_5k", "--out", "shown")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "MNIST-5k"
    assert lines[13].split() == ["all", "4,000", "500", "500"]
    paths = [f"shown/mnist_5k_{name}.png" for name in PICTURES]
    assert lines[-9:] == [*paths, "shown/mnist_5k.json", "shown/mnist_5k.md"]
    page = (tmp_path / "shown/mnist_5k.md").read_text()
    assert "`python -m experiments.explore --data mnist_5k`" in page
    assert "\n".join(lines[:-9]) in page
    assert [path for path in paths if f"]({Path(path).name})" not in page] == []
    for path in paths:
        assert imread(tmp_path / path).std() > 0.05  # not blank
    assert len(list((tmp_path / "shown").iterdir())) == 9


def test_what_is_wrong_is_said_in_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command("experiments.explore", "--data", "mnist_5k", "--out", "file")
    expected = "error: --out file: is not a folder; name one for the pictures\n"
    assert (done.returncode, done.stderr) == (2, expected)
    done = command("experiments.explore", "--data", "mnist5k")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no data set 'mnist5k'" in done.stderr
    assert not (tmp_path / "docs").exists()


def test_few_images_and_absent_digits_are_drawn() -> None:
    images = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    images[1, 0, 4:9] = 200
    data = Split(images, torch.tensor([3, 3, 8]))
    drawn = pictures("Mine", {"training": data, "test": data})
    (axes,) = drawn["samples"].axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["3", "8"]


def test_a_row_of_distorted_digits_begins_with_the_digit_itself() -> None:
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    image[0, 8:20, 14] = 255
    one, other = distorted([image, image])
    for row in (one, other):
        assert row[0].equal(image.float())
        assert len({each.numpy().tobytes() for each in row}) == 12
    assert not one[1:].equal(other[1:])
