"""The card of an exported file: the record's numbers, and code that runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError
from mnist_arch.inference.export import Exported, export
from mnist_arch.inference.metadata import metadata
from mnist_arch.reports import card
from mnist_arch.reports.table import EMPTY
from mnist_arch.runs.shipped import shipped
from tests.factories import finished_run, provenance, record, scores, untested

# torch.export itself still uses what a later Python or torch will take away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FILE = Exported(
    name="mlp-seed0.pt2",
    size=12_345,
    sha256="abc",
    verified_on="1,000 training images of MNIST",
    batches=[1, 1000],
    probabilities=2e-7,
    scores=3e-6,
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sources.load("mnist_5k", Path("unused"))


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_the_code_of_a_card_runs_and_gives_the_networks_digits(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    run, out = finished_run(tmp_path / "mlp-seed0", "mlp"), tmp_path / "out"
    (file,) = export(run, out, [ending], data)
    (code,) = re.findall(r"```python\n(.*?)```", card.model_card(file, run), re.DOTALL)
    images, names = data.test.images[:4], dict[str, Any]()
    monkeypatch.chdir(out)
    np.save("images.npy", images.numpy())
    exec(code, names)
    assert list(names["digits"]) == mnist_arch.load(run)(images).argmax(1).tolist()
    assert names["metadata"] == metadata(run)


def test_its_tables_are_the_records() -> None:
    tested = record([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert card.scores(tested).rows == [
        ("training", 60_000, 99.0, 600, 0.05),
        ("test", 10_000, 99.45, 55, 0.05),
    ]
    assert card.by_digit(tested).rows == [("errors", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]
    chosen_by = untested()
    assert [row[:3] for row in card.scores(chosen_by).rows] == [
        ("training", 54_000, pytest.approx(100 * 53_400 / 54_000)),
        ("validation", 6_000, 99.0),
    ]
    assert card.by_digit(chosen_by).rows == []


def test_a_new_metric_is_a_column() -> None:
    both = {"train": scores(6, 100) | {"brier": 0.1}, "test": scores(6, 100) | {"brier": 0.2}}
    table = card.scores(record(scores=both))
    assert [column.title for column in table.columns][-1] == "Brier"
    assert [row[-1] for row in table.rows] == [0.1, 0.2]


def test_a_card_says_of_the_file_and_its_source_what_is_known(tmp_path: Path) -> None:
    text = card.model_card(FILE, finished_run(tmp_path / "run", "lenet5"))
    for fact in ("12,345 bytes", "`abc`", "1, 1000", "2.0e-07", "3.0e-06", "79,510", FILE.name):
        assert fact in text
    assert "reports 99.05 % accuracy on its test images\n(printed as 0.95 % error)" in text
    assert "https://doi.org/10.1109/5.726791" in text
    for key, word in metadata(tmp_path / "run").items():
        assert f"| {key} | {word} |" in text


def test_a_run_that_left_the_test_images_unread_has_a_card_without_them(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", "dense")
    untested(architecture="dense", recipe="dense").write(run)
    text = card.model_card(FILE, run)
    assert "| validation | 6,000 | 99.00 % | 60 |" in text
    assert "| test" not in text
    assert EMPTY not in text


def test_a_card_says_whether_a_network_can_say_that_a_picture_is_no_digit(tmp_path: Path) -> None:
    """One that was built to reject can. That of 1998 has a class for it, which learns nothing."""
    rejecting = {"model.rejecting": True}
    runs = {
        "mlp": finished_run(tmp_path / "mlp", "mlp"),
        "lenet5_1998": finished_run(tmp_path / "lenet5_1998", "lenet5_1998"),
        "reader": finished_run(tmp_path / "reader", "batchnorm_cnn", config=rejecting),
    }
    sentence = "classified as a digit all the same"
    can_not = [name for name, run in runs.items() if sentence in card.model_card(FILE, run)]
    assert can_not == ["mlp", "lenet5_1998"]


def test_the_record_of_files_is_read_as_it_was_written(tmp_path: Path) -> None:
    card.write(tmp_path / "sizes.json", [FILE], provenance())
    assert card.read(tmp_path / "sizes.json") == [FILE]
    assert card.table([FILE]).rows == [("mlp-seed0.pt2", 12_345, 2e-7, 3e-6)]
    wrong = (tmp_path / "sizes.json").read_text().replace('"size"', '"weight"')
    (tmp_path / "sizes.json").write_text(wrong)
    with pytest.raises(UserError, match=r"sizes\.json: not a record of exported files"):
        card.read(tmp_path / "sizes.json")


def test_the_committed_record_is_of_every_set_of_weights_that_ships() -> None:
    root = Path(mnist_arch.__file__).parents[1]
    files = card.read(root / "results/exports/shipped.json")
    assert [file.name for file in files] == [
        f"{each.name}{kind}" for each in shipped() for kind in (".onnx", ".pt2")
    ]


def test_the_first_line_says_the_unit_of_the_pixels(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", "lenet5")
    name, said = next(iter(metadata(run).items()))
    assert name == "images"
    _, _, line, *_ = card.model_card(FILE, run).splitlines()
    for text in (said, line):
        assert "from 0, background, to 255, ink" in text
