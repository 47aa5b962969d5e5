"""What the words of a command name: runs and pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import words
from mnist_arch.errors import UserError
from mnist_arch.runs.folders import MEAN
from tests.factories import FIVE, drawn, record, written


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_word_is_a_path_or_else_a_pattern() -> None:
    for name in ("run[1]", "run1", "run2", "scans [2024]/run1"):
        Path(name).mkdir(parents=True)
    assert words.matches("run[1]") == ["run[1]"]
    assert words.matches("run[12]") == ["run1", "run2"]
    assert words.matches("scans [2024]/run*") == ["scans [2024]/run1"]
    assert words.matches(f"{Path.cwd()}/scans [2024]/run?") == [f"{Path.cwd()}/scans [2024]/run1"]
    assert words.matches("**/run1") == ["run1", "scans [2024]/run1"]
    assert words.matches("ruin*") == []


def test_means_are_no_runs_and_equal_runs_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("mlp-seed0", 0), ("mlp-seed0-2", 0), ("mlp-seed1", 1)):
        Path("runs", name).mkdir(parents=True)
        record(seed=seed).write(Path("runs", name))
    Path("runs/mlp-own-mean").mkdir()
    Path("runs/mlp-own-mean", MEAN).touch()
    expected = [Path("runs/mlp-seed0"), Path("runs/mlp-seed1")]
    assert words.runs(["runs/mlp-*"]) == expected
    assert capsys.readouterr().err.splitlines() == [
        "runs/mlp-own-mean: the mean of several runs, left out",
        "runs/mlp-seed0-2: the same run as runs/mlp-seed0, counted once",
    ]
    assert (
        words.runs(["runs/mlp-seed0", "runs/mlp-seed?", "runs/mlp-seed0/record.json"]) == expected
    )
    Path("runs/idx-seed0").mkdir()
    record(provenance={"data_sha256": {"t10k": "b"}}).write(Path("runs/idx-seed0"))
    both = ["runs/mlp-seed0", "runs/idx-seed0"]  # of equal settings, on files of one's own
    assert words.runs(both) == [*map(Path, both)]
    with pytest.raises(UserError, match=r"ruin\*: no such run folder or record file"):
        words.runs(["runs/mlp-seed0", "ruin*"])


def test_a_folder_gives_what_is_a_picture_by_name_or_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("photos").mkdir()
    picture = Image.fromarray(drawn(FIVE))
    for name in ("b.PNG", "a.jpg", "phone.HEIC", "no suffix"):
        Path("photos", name).write_bytes(written(picture, "JPEG"))
    Path("photos/broken.png").write_bytes(b"no picture")
    for name in ("._a.jpg", ".DS_Store", "notes.txt", "film.mov"):
        Path("photos", name).write_bytes(b"\0\5\26\7 a Mac's")
    Path("photos/folder.png").mkdir()
    names = ["a.jpg", "b.PNG", "broken.png", "no suffix", "phone.HEIC"]
    assert words.pictures("photos") == [f"photos/{name}" for name in names]
    told = capsys.readouterr().err
    assert told == "photos: left out, no pictures of a known kind: film.mov, notes.txt\n"
    for number in range(20):
        Path("photos", f"{number:02}.txt").touch()
    words.pictures("photos")
    assert "00.txt, 01.txt, 02.txt, 03.txt, 04.txt and 17 more\n" in capsys.readouterr().err


def test_a_pattern_below_a_folder_with_brackets_finds_its_pictures() -> None:
    folder = Path("scans [2024]")
    folder.mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "a.png")
    assert words.pictures("scans [2024]/*.png") == ["scans [2024]/a.png"]
    assert words.pictures("scans [2024]") == ["scans [2024]/a.png"]
    assert words.pictures("-") == ["-"]
    for word in ("scans [2024]/*.gif", "nowhere"):
        with pytest.raises(UserError, match="no pictures there"):
            words.pictures(word)
