"""The command that classifies pictures, as a user types it."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from PIL import Image

import mnist_arch
from experiments.predict import main, standard_input
from mnist_arch.errors import UserError
from mnist_arch.inference.pictures import FORMATS
from mnist_arch.inference.predictor import Predictor
from tests.factories import FIVE, SEVEN, drawn, png, written

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _untrained(tmp_path: Path) -> None:
    """Write a checkpoint, net.ckpt."""
    net = mnist_arch.build("mlp")
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    metadata = {"architecture": "mlp", "recipe": "mlp"}
    torch.save({"mnist_arch": metadata, "state_dict": weights}, tmp_path / "net.ckpt")


def test_pictures_are_classified_and_a_file_that_is_none_is_named(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(drawn(FIVE)).save(tmp_path / "photos/a.png")
    Image.fromarray(drawn(SEVEN)).save(tmp_path / "photos/b.png")
    (tmp_path / "photos/c.png").write_bytes(b"no picture")

    words = ["net.ckpt", "photos/*.png"]
    done = command("experiments.predict", *words, "--sheet", "sheet.png")
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
    done = command("experiments.predict", "net.ckpt", "photos/a.png", "--csv")
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert row["digit"] == str(answer.digit)


def test_who_waits_sees_each_answer_before_the_next_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"{each}.png") for each in "abc"]
    for name in names:
        Image.fromarray(drawn(FIVE)).save(name)
    before = list[str]()
    predict = Predictor.predict

    def watched(*given: Any) -> Any:
        before.append(capsys.readouterr().out)
        return predict(*given)

    monkeypatch.setattr(Predictor, "predict", watched)
    monkeypatch.setattr(sys, "argv", ["predict", str(tmp_path / "net.ckpt"), *names])
    main()
    assert [each.partition(": ")[0] for each in before] == ["", *names[:2]]


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
    done = command("experiments.predict", "net.ckpt", "hostile")
    assert done.returncode == 2
    assert done.stderr == "error: 109 of 110 files could not be read\n"
    lines = done.stdout.splitlines()
    names = sorted(str(path.relative_to(tmp_path)) for path in folder.iterdir())
    assert [line.partition(":")[0] for line in lines] == names
    assert sum("%), else " in line for line in lines) == 1


NEW_FORM = "only settings of a run are given as name=value; here say"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpoint=a", "b"], f"checkpoint=a: {NEW_FORM} --checkpoint a"),
        (["a", "images=b"], f"images=b: {NEW_FORM} the pictures by themselves"),
        (["a", "b", "split=true"], f"split=true: {NEW_FORM} --number"),
        (["a", "b", "json=true"], f"json=true: {NEW_FORM} --json"),
        (["a", "b", "sheet=a b.png"], f"sheet=a b.png: {NEW_FORM} --sheet 'a b.png'"),
        ([], "required: pictures; --help"),
        (["net.ckpt"], "net.ckpt: a network; name pictures behind it"),
        (["lenet5"], "lenet5: a network; name pictures behind it"),
        (["a"], "a: no pictures there"),
        (["a", "b", "--sheet", "no/where.png"], "there is no folder no"),
        (["a", "b", "--sheet", "/"], "/: is a folder; name a file"),
        (["a", "b", "--json", "--csv"], "--csv: not allowed with argument --json; --help"),
        (["a", "b", "--nubmer"], "unrecognized arguments: --nubmer; --help"),
        (["net.ckpt", "nothing*"], r"nothing\*: no pictures there"),
    ],
)
def test_a_wrong_argument_is_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["predict", *words])
    with pytest.raises(UserError, match=message) as caught:
        main()
    assert "\n" not in str(caught.value)


def test_a_standard_input_that_is_closed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has none then, as after `<&-`."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input: closed"):
        standard_input(1)
