"""What is in a data set, by hand and by numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_arch.data import exploration, sources
from mnist_arch.data.splits import Split


def split(values: list[int], digits: list[int]) -> Split:
    """Images of one pixel value each."""
    images = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return Split(images.contiguous(), torch.tensor(digits))


def test_equal_images_are_counted_within_and_between_splits() -> None:
    """Value 5 is three times in training and twice in test, once as another digit; 9 repeats."""
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
    contents = exploration.measure({"training": split([0, 255], [0, 1])})
    histogram = contents.histogram
    assert (histogram[0], histogram[255], sum(histogram)) == (784, 784, 2 * 784)
    assert exploration.pixel_statistics(histogram) == (0.5, 0.5, 0.5)
    assert contents.mean_ink == {0: 0, 1: 1}
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
    """28 times the difference of values, in blocks too."""
    monkeypatch.setattr(exploration, "BLOCK", 2)
    images, others = split([0, 100, 255], [0] * 3).images, split([250, 3, 90], [0] * 3).images
    chosen, distances = exploration.nearest(images, others)
    assert chosen.tolist() == [1, 2, 0]
    assert distances.tolist() == [28 * 3, 28 * 10, 28 * 5]


def test_real_digits_agree_with_numpy() -> None:
    data = sources.load("mnist_5k", Path("unused"))
    pixels = data.train.images.numpy() / 255
    histogram = exploration.measure({"training": data.train}).histogram
    statistics = exploration.pixel_statistics(histogram)
    assert statistics == pytest.approx(
        (pixels.mean(), pixels.std(), (pixels > 0).mean()), rel=1e-12
    )
    some, others = data.test.images[:20], data.train.images[:500]
    apart = some.flatten(1).double().numpy()[:, None] - others.flatten(1).double().numpy()
    distances = np.sqrt((apart**2).sum(axis=2))
    chosen, nearest = exploration.nearest(some, others)
    assert chosen.tolist() == distances.argmin(axis=1).tolist()
    assert nearest.tolist() == pytest.approx(distances.min(axis=1).tolist(), rel=1e-12)


def test_the_mean_ink_leaves_out_digits_that_are_absent() -> None:
    """Two images of 4 with values 200 and 30, one of 2 with 9: 115/255 and 9/255."""
    contents = exploration.measure({"training": split([9, 200, 30], [2, 4, 4])})
    assert contents.mean_ink == pytest.approx({2: 9 / 255, 4: 115 / 255})
