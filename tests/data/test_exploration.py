"""What is in a data set, by hand and by numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch

import mnist_arch
from mnist_arch.data import exploration, sources
from mnist_arch.data.splits import Split
from mnist_arch.reports.figures.data import count_bars, ink_boxes
from mnist_arch.runs.records import read_as

DOCS = Path(mnist_arch.__file__).parent.parent / "docs/data"
PICTURES = ("counts", "samples", "means", "ink", "distorted", "extremes", "pairs")


def split(levels: list[int], digits: list[int]) -> Split:
    """Images of one level each."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return Split(images.contiguous(), torch.tensor(digits))


def test_equal_images_are_counted_within_and_between_splits() -> None:
    """Level 5 is three times in training and twice in test, once as another digit; 9 repeats."""
    training = split([5, 5, 5, 7, 8], [1, 1, 1, 2, 3])
    test = split([5, 5, 8, 9, 9], [1, 4, 3, 6, 6])
    repeated = exploration.duplicates({"training": training, "test": test})
    assert repeated.within("training") == 2
    assert repeated.within("test") == 2
    assert repeated.between("training", "test") == 3
    assert repeated.between("test", "training") == 4
    assert repeated.conflicting == 1
    assert [("training", 4), ("test", 2)] in repeated.groups


def test_statistics_of_pixels_by_hand() -> None:
    """Half the pixels 0, half 255: mean and deviation 1/2."""
    two = split([0, 255], [0, 1]).images
    levels = exploration.measure("Two", {"training": split([0, 255], [0, 1])}, {}, "").levels
    assert (levels[0], levels[255], sum(levels)) == (784, 784, 2 * 784)
    assert exploration.pixel_statistics(levels) == (0.5, 0.5, 0.5)
    assert exploration.ink(two).tolist() == [0, 1]
    mean, spread = exploration.mean_and_spread(split([10, 20, 60], [0, 0, 0]).images)
    assert mean.unique().tolist() == [30]
    assert spread.unique().tolist() == pytest.approx([(1400 / 3) ** 0.5])


def test_the_nearest_to_the_mean_come_first() -> None:
    """Of 0, 40, 50, 250 the mean is 85: distances 85, 45, 35, 165."""
    assert exploration.by_distance_to_mean(split([0, 40, 50, 250], [0] * 4).images).tolist() == [
        2,
        1,
        0,
        3,
    ]


def test_the_nearest_of_others_and_its_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """28 times the difference of levels, in blocks too."""
    monkeypatch.setattr(exploration, "BLOCK", 2)
    images, others = split([0, 100, 255], [0] * 3).images, split([250, 3, 90], [0] * 3).images
    chosen, distances = exploration.nearest(images, others)
    assert chosen.tolist() == [1, 2, 0]
    assert distances.tolist() == [28 * 3, 28 * 10, 28 * 5]


def test_real_digits_agree_with_numpy() -> None:
    data = sources.load("mnist_5k", Path("unused"))
    pixels = data.train.images.numpy() / 255
    measured = exploration.measure(data.title, {"training": data.train}, data.sha256, "")
    found = exploration.pixel_statistics(measured.levels)
    assert found == pytest.approx((pixels.mean(), pixels.std(), (pixels > 0).mean()), rel=1e-12)
    some, others = data.test.images[:20], data.train.images[:500]
    apart = some.flatten(1).double().numpy()[:, None] - others.flatten(1).double().numpy()
    distances = np.sqrt((apart**2).sum(axis=2))
    chosen, nearest = exploration.nearest(some, others)
    assert chosen.tolist() == distances.argmin(axis=1).tolist()
    assert nearest.tolist() == pytest.approx(distances.min(axis=1).tolist(), rel=1e-12)


def test_the_summary_tells_the_digits_with_most_and_least_ink_and_leaves_gaps() -> None:
    splits = {"training": split([9, 200, 30], [2, 4, 4]), "test": split([9], [2])}
    lines = exploration.summary(exploration.measure("Mine", splits, {}, "")).splitlines()
    assert lines[5].split() == ["2", "1", "1"]
    assert lines[7].split() == ["4", "2", "0"]
    assert lines[13].split() == ["all", "3", "1"]
    assert "most ink: 4 (mean 0.4510), least: 2 (0.0353)" in lines
    assert "images of one split in another: 1 of test in training" in lines


def test_the_committed_page_is_made_from_its_record_which_is_of_mnist() -> None:
    """The mean and deviation that everybody divides MNIST by, and the sizes of its splits."""
    (path,) = DOCS.glob("*.json")
    found = read_as(exploration.Exploration, path)
    pictures = {name: f"mnist_{name}.png" for name in PICTURES}
    assert path.with_suffix(".md").read_text() == exploration.page(found, pictures)
    assert found.data_sha256 == sources.MNIST_SHA256
    assert [sum(counts) for counts in found.counts.values()] == [60_000, 10_000]
    pixels = exploration.pixel_statistics(found.levels)
    assert [round(pixels.mean, 4), round(pixels.deviation, 4)] == [0.1307, 0.3081]


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
