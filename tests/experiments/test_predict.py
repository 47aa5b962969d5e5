"""The command that reads pictures, as a user types it."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from PIL import Image

import mnist_arch
from experiments.predict import files, settings
from mnist_arch.errors import UserError
from mnist_arch.inference.pictures import FORMATS
from tests.inference.test_pictures import png, written
from tests.inference.test_preprocess import FIVE, SEVEN, drawn

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _untrained(tmp_path: Path) -> None:
    """Write a checkpoint, net.ckpt."""
    net = mnist_arch.build("mlp")
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    card = {"architecture": "mlp", "recipe": "mlp"}
    torch.save({"mnist_arch": card, "state_dict": weights}, tmp_path / "net.ckpt")


def test_pictures_are_read_and_one_that_is_none_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(drawn(FIVE)).save(tmp_path / "photos/a.png")
    Image.fromarray(drawn(SEVEN)).save(tmp_path / "photos/b.png")
    (tmp_path / "photos/c.png").write_bytes(b"no picture")

    words = ["checkpoint=net.ckpt", "images=photos/*.png"]
    done = command("experiments.predict", *words, "sheet=sheet.png")
    assert done.returncode == 2
    assert done.stderr == "error: 1 of 3 files could not be read\n"
    first, _, third = done.stdout.splitlines()
    answer = mnist_arch.load(tmp_path / "net.ckpt").predict(tmp_path / "photos/a.png")
    assert first.startswith(f"photos/a.png: {answer.digit} ({100 * answer.probability:.1f} %)")
    assert third.startswith("photos/c.png: no picture of the formats PNG")
    height, width, _ = imread(tmp_path / "sheet.png").shape
    assert (height, width) in ((160, 920), (160, 919))  # Matplotlib before 3.11 rounds down

    done = command("experiments.predict", *words, "--json")
    rows = json.loads(done.stdout)
    assert [row["file"] for row in rows] == [f"photos/{name}.png" for name in "abc"]
    assert rows[0]["digit"] == answer.digit
    assert rows[2]["error"].startswith("photos/c.png")
    done = command("experiments.predict", *words[:1], "images=photos/a.png", "csv=true")
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert row["digit"] == str(answer.digit)


def test_each_of_a_hundred_hostile_files_is_a_line(command: Command, tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    folder = tmp_path / "hostile"
    folder.mkdir()
    for kind in FORMATS:
        whole = written(Image.fromarray(drawn(FIVE)), kind)
        for number in range(18):
            head = whole[: int(draws.integers(0, 40))]  # less than any format's header
            broken = head + bytes(draws.integers(0, 256, number * 10, dtype=np.uint8))
            (folder / f"{number}.{kind.lower()}").write_bytes(broken)
    (folder / "huge.png").write_bytes(png(30_000, 30_000))
    (folder / "five.png").write_bytes(written(Image.fromarray(drawn(FIVE)), "PNG"))
    done = command("experiments.predict", "checkpoint=net.ckpt", "images=hostile")
    assert done.returncode == 2
    assert done.stderr == "error: 109 of 110 files could not be read\n"
    lines = done.stdout.splitlines()
    names = sorted(str(path.relative_to(tmp_path)) for path in folder.iterdir())
    assert [line.partition(":")[0] for line in lines] == names
    assert sum("%), else " in line for line in lines) == 1


def test_words_are_settings() -> None:
    found = settings(["checkpoint=a", "images=b=c.png", "--json", "split=false"])
    assert found == {"checkpoint": "a", "images": "b=c.png", "json": "true"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpont=a"], "no setting 'checkpont'; did you mean checkpoint"),
        (["checkpoint=a"], "images=... is missing"),
        (["checkpoint="], "checkpoint: needs a value"),
        (["checkpoint=a", "images=b", "split=maybe"], "split=maybe: must be true or false"),
        (["checkpoint=a", "images=b", "sheet=no/where.png"], "there is no folder no"),
        (["checkpoint=a", "images=b", "sheet=/"], "/: is a folder; name a file"),
        (["checkpoint=a", "images=b", "--json", "--csv"], "json and csv: choose one"),
    ],
)
def test_a_wrong_word_is_said(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        settings(words)


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert files(str(tmp_path)) == [str(tmp_path / name) for name in ("a.jpg", "b.PNG")]
    assert files("-") == ["-"]
    with pytest.raises(UserError, match="no pictures there"):
        files(f"{tmp_path}/*.gif")
