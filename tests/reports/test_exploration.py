"""What is in a data set, laid out: rows, facts and pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import mnist_arch
from mnist_arch.data import exploration, sources
from mnist_arch.data.splits import Split
from mnist_arch.models.layers import MEAN, STANDARD_DEVIATION
from mnist_arch.reports import exploration as report
from mnist_arch.reports.exploration import Exploration
from mnist_arch.reports.figures.data import count_bars, ink_boxes
from mnist_arch.runs.records import read_as
from tests.data.test_exploration import split
from tests.factories import provenance

DOCS = Path(mnist_arch.__file__).parent.parent / "docs/data"
PICTURES = ("counts", "samples", "means", "ink", "augmented", "extremes", "pairs")


def explored(**splits: Split) -> Exploration:
    """The record of a small data set."""
    contents = vars(exploration.measure(splits))
    return Exploration(**contents, data_title="Mine", provenance=provenance())


SMALL = {"training": split([9, 200, 30], [2, 4, 4]), "test": split([9], [2])}


def test_a_row_is_a_digit_and_the_last_is_all_of_them() -> None:
    rows = report.counts(explored(**SMALL)).rows
    assert (rows[2], rows[4], rows[-1]) == (("2", 1, 1), ("4", 2, 0), ("all", 3, 1))


def test_the_facts_are_the_records() -> None:
    answer, pixels, ink, within, between, labels = report.facts(explored(**SMALL))
    assert answer.startswith("Mine has 3 training images and 1 test images")
    assert "1 images repeat another" in answer
    assert "100.0 % of the training pixels" in answer
    values = np.array([9, 200, 30]) / 255
    for fact, numbers in (
        (pixels, [f"{values.mean():.4f}", f"{values.std():.4f}"]),
        (ink, ["4 (mean 0.4510)", "2 (mean 0.0353)"]),
        (within, ["0 in training", "0 in test"]),
        (between, ["1 of test in training"]),
        (labels, ["0."]),
    ):
        assert [number for number in numbers if number not in fact] == []


def test_no_repeats_are_called_so() -> None:
    answer, *_ = report.facts(explored(training=split([1, 2], [0, 1])))
    assert "No image occurs twice" in answer


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record = explored(**SMALL)
    record.write(tmp_path / "mine.json")
    assert read_as(Exploration, tmp_path / "mine.json") == record


def test_what_holds_the_same_stays_as_it_was_whichever_code_made_it(tmp_path: Path) -> None:
    record, path = explored(**SMALL), tmp_path / "mine.json"
    assert report.unless_the_same(path, record) is record
    record.write(path)
    later = replace(record, provenance=provenance(commit="0" * 40))
    assert later != record
    assert report.unless_the_same(path, later) == record
    other = replace(later, data_title="Others")
    assert report.unless_the_same(path, other) is other


def test_the_committed_page_is_made_from_its_record_which_is_of_mnist() -> None:
    """The mean and deviation that everybody divides MNIST by, and the sizes of its splits."""
    (path,) = DOCS.glob("*.json")
    record = read_as(Exploration, path)
    pictures = {name: f"mnist_{name}.png" for name in PICTURES}
    assert path.with_suffix(".md").read_text() == report.page(record, pictures)
    assert {each.name for each in DOCS.glob("*.png")} == {*pictures.values()}
    assert record.provenance.data_sha256 == sources.MNIST_SHA256
    assert [sum(counts) for counts in record.counts.values()] == [60_000, 10_000]
    pixels = exploration.pixel_statistics(record.histogram)
    assert [round(pixels.mean, 4), round(pixels.deviation, 4)] == [0.1307, 0.3081]
    assert pixels.mean * 255 == pytest.approx(MEAN, abs=1e-6)
    assert pixels.deviation * 255 == pytest.approx(STANDARD_DEVIATION, abs=1e-6)


def test_few_images_and_absent_digits_are_drawn() -> None:
    images = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    images[1, 0, 4:9] = 200
    data = Split(images, torch.tensor([3, 3, 8]))
    figures = report.figures("Mine", {"training": data, "test": data}, torch.Tensor.float)
    (axes,) = figures["samples"].axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["3", "8"]
    assert {type(figure) for figure in figures.values()} == {Figure}
    assert [*figures] == [*PICTURES]


def test_a_row_of_augmented_digits_begins_with_the_digit_itself() -> None:
    image = torch.arange(784, dtype=torch.uint8).reshape(1, 28, 28)
    row = report.augmented(image, lambda images: images + torch.rand(len(images), 1, 1, 1))
    assert row[0].equal(image.float())
    assert len({each.numpy().tobytes() for each in row}) == report.ACROSS


def test_bars_are_shares_of_a_split_and_boxes_stand_at_their_digits() -> None:
    (axes,) = count_bars({"training": [3, 1] + [0] * 8, "test": [0, 2] + [0] * 8}, "").axes
    assert [[bar.get_height() for bar in bars][:2] for bars in axes.containers] == [
        [75, 25],
        [0, 100],
    ]
    (axes,) = ink_boxes({3: torch.tensor([0.1, 0.2, 0.6])}, "").axes
    medians = [line for line in axes.lines if line.get_linewidth() == 1.6]
    assert [line.get_ydata().tolist() for line in medians] == [pytest.approx([20, 20])]
    assert axes.get_xticks().tolist() == [3]
