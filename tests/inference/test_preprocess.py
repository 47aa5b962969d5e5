"""What `prepare` makes of a picture: MNIST's own geometry, wherever and however it was drawn."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from mnist_arch.analysis import challenges
from mnist_arch.analysis.ablation import ABLATIONS
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.inference import preprocess
from mnist_arch.inference.preprocess import (
    BLANK,
    BOX,
    RADIUS,
    SEVERAL,
    SIDE,
    SMOOTHING,
    Preprocessor,
    fitted_light,
    prepare,
    prepare_each,
    sharpened,
    smoothed,
)
from tests.factories import FIVE, SEVEN, drawn

Picture = NDArray[np.uint8]


def far(one: Picture, other: Picture) -> float:
    """The mean difference of two images, of their mean ink."""
    first, second = one.astype(float), other.astype(float)
    return float(abs(first - second).sum() / first.sum())


@pytest.fixture(scope="module")
def digits() -> Picture:
    """Every 50th of MNIST-5k's test digits, and one of each."""
    return sources.load("mnist_5k", Path("unused")).test.images[::25, 0].numpy()


def test_the_longer_side_is_twenty_pixels_and_the_mass_in_the_middle() -> None:
    """LeCun et al. 1998, section III-A; the centre in whole pixels, as MNIST's is."""
    for picture in (drawn(SEVEN), drawn(FIVE), drawn([(10, 10), (10, 150)])):
        image = prepare(picture).image
        rows, columns = (np.flatnonzero(image.max(axis) > 25) for axis in (1, 0))
        assert np.ptp(rows) + 1 == 20
        assert np.ptp(columns) + 1 <= 20
        assert ndimage.center_of_mass(image) == pytest.approx((14, 14), abs=0.51)


def test_the_aspect_is_kept() -> None:
    """A bar of 40 x 160 is 5 x 20; strokes of 5 pixels are within MNIST's."""
    page = np.zeros((300, 300), np.uint8)
    page[50:210, 100:140] = 255
    image = prepare(page).image
    assert (image.max(1) > 127).sum() == 20
    assert (image.max(0) > 127).sum() == 5


def test_neither_place_nor_size_nor_polarity_matters() -> None:
    original = prepare(drawn(FIVE)).image
    assert far(original, prepare(drawn(FIVE, at=(170, 110))).image) < 0.02
    assert far(original, prepare(255 - drawn(FIVE)).image) < 0.02
    assert far(original, prepare(drawn(FIVE, times=1.6, at=(10, 10))).image) < 0.15
    assert prepare(drawn(FIVE)).ink == "light"
    assert prepare(255 - drawn(FIVE)).ink == "dark"


def test_sixteen_bits_and_lesser_contrast_are_the_same_picture() -> None:
    picture = drawn(FIVE)
    original = prepare(picture).image
    assert far(original, prepare(picture.astype(np.uint16) * 257).image) < 0.01
    assert far(original, prepare((100 + picture // 4).astype(np.uint8)).image) < 0.03
    # 3 % of the range is too faint to be ink, however many values it has.
    for faint in (picture // 32, picture.astype(np.uint16) * 8):
        assert prepare(faint).doubts == (BLANK,)


def test_a_shadow_and_noise_are_removed() -> None:
    draws = np.random.default_rng(0)
    light = np.linspace(1, 0.5, 320)[None] * np.linspace(1, 0.8, 320)[:, None]
    photo = 230 * light * (1 - 0.7 * (drawn(FIVE) / 255)) + draws.normal(0, 5, (320, 320))
    prepared = prepare(photo.clip(0, 255).astype(np.uint8))
    assert prepared.ink == "dark"
    assert prepared.doubts == ()
    assert far(prepare(drawn(FIVE)).image, prepared.image) < 0.15


def test_a_thin_pen_and_a_bold_one_write_as_mnist_does() -> None:
    """Rows that cross the stem of the 7: MNIST's strokes are 2 to 5.6 pixels wide."""
    for pen in (2, 14, 50):
        image = prepare(drawn(SEVEN, pen=pen)).image
        across = image[16:20].astype(float).sum(1) / 255
        assert 1.5 < across.mean() < 6, pen


def test_mnists_digits_come_out_nearly_as_they_went_in(digits: Picture) -> None:
    differences = [far(digit, prepare(digit).image) for digit in digits]
    assert np.median(differences) < 0.1


def test_an_enlarged_digit_comes_back(digits: Picture) -> None:
    draws = np.random.default_rng(0)
    enlarged = [challenges.enlarged(digit, draws) for digit in digits]
    restored, blurred = (
        [
            far(one, preprocessor.prepare(other).image)
            for one, other in zip(digits, enlarged, strict=True)
        ]
        for preprocessor in (Preprocessor(), ABLATIONS["sharpness"].preprocessor)
    )
    assert np.median(restored) < np.median(blurred) < 0.35


def test_no_part_of_a_broken_five_is_lost() -> None:
    """Its bar stands off; dirt far away, smaller than any stroke, is left out."""
    page = drawn(FIVE[1:], [(45, 40), (100, 40)]).copy()
    whole = prepare(page)
    rightmost = np.flatnonzero(page.max(0)).max() + 1  # the bar's end
    page[300:304, 300:304] = 255
    page[120:126, 140:146] = 255  # so near that a part of that size would belong to it
    dirty = prepare(page)
    assert whole.doubts == dirty.doubts == ()
    np.testing.assert_array_equal(whole.image, dirty.image)
    assert whole.box[3] == pytest.approx(rightmost, abs=3)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_are_blank(level: int) -> None:
    draws = np.random.default_rng(level)
    page = np.full((200, 300), level, np.uint8)
    noisy = (page + draws.normal(0, 6, page.shape)).clip(0, 255).astype(np.uint8)
    for picture in (page, noisy, page[:1, :1], challenges.blank(draws), challenges.noise(draws)):
        prepared = prepare(picture)
        assert prepared.doubts == (BLANK,)
        assert not prepared.image.any()
        assert prepare_each(picture) == []
    assert prepare(page).ink == "dark"


def test_blurs_are_scipys() -> None:
    """Of what has bare paper around it, at a rim too; and of digits by a wide Gaussian."""
    for seed in range(40):
        draws = np.random.default_rng(seed)
        ink = np.zeros(draws.integers(30, 200, 2))
        top, left = draws.integers(0, 25, 2)
        bottom, right = np.add((top, left), draws.integers(1, 99, 2))
        ink[top:bottom, left:right] = draws.random()
        side = int(draws.integers(SIDE, 400))
        expected = ndimage.gaussian_filter(ink, SMOOTHING * (side / SIDE - 1))
        np.testing.assert_allclose(smoothed(ink, side), expected, atol=1e-12)
        digit = draws.random(draws.integers(2 * BOX + 1, 300, 2))
        blurred = ndimage.gaussian_filter(digit, RADIUS * max(digit.shape) / BOX, mode="constant")
        np.testing.assert_allclose(sharpened(digit), (2 * digit - blurred).clip(0, 1), atol=1e-12)
    assert not smoothed(np.zeros((9, 9)), 99).any()


def test_even_light_and_a_parabola_are_fitted_under_ink() -> None:
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, 60)], indexing="ij")
    for light in (np.full((60, 60), 0.3), 0.5 + 0.1 * x - 0.2 * y + 0.1 * x * y - 0.05 * x * x):
        page = light.copy()
        page[20:40, 25:35] = 0
        np.testing.assert_allclose(fitted_light(page), light, atol=1e-3)


def test_two_digits_are_doubtful_as_one_and_come_from_left_to_right() -> None:
    left, right = drawn(FIVE)[:, :160], drawn(SEVEN, at=(40, 60))[:, :160]
    both = np.concatenate([left, right], axis=1)  # 320 x 320, as each alone was drawn
    assert prepare(both).doubts == (SEVERAL,)
    five, seven = prepare_each(both)
    assert far(prepare(drawn(FIVE)).image, five.image) < 0.05
    assert far(prepare(drawn(SEVEN)).image, seven.image) < 0.05
    assert five.box[3] <= seven.box[1]


def test_two_bars_that_stand_close_together_are_two_signs() -> None:
    page = np.zeros((300, 300), np.uint8)
    page[50:210, 100:120] = page[60:210, 128:148] = 255
    assert prepare(page).doubts == (SEVERAL,)
    assert len(prepare_each(page)) == 2


def test_the_box_is_in_the_pictures_own_pixels() -> None:
    page = np.zeros((1200, 900), np.uint8)  # more than is worked on
    page[200:840, 400:560] = 255
    assert prepare(page).box == pytest.approx((200, 400, 840, 560), abs=8)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3, 4)),
        np.zeros(5),
        np.zeros((0, 3)),
        np.full((9, 9), np.nan),
        np.array([["a"]]),
        np.eye(9),  # values from 0 to 1
        np.full((9, 9), 256),
        np.full((9, 9), -1),
    ],
)
def test_what_is_no_picture_is_refused(wrong: NDArray[np.generic]) -> None:
    with pytest.raises(UserError, match="a picture "):
        prepare(wrong)


def test_a_huge_picture_reduced_in_parts_is_as_reduced_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A box filter works on rows and columns one after the other."""
    page = np.repeat(np.repeat(drawn(FIVE), 4, axis=0), 5, axis=1)
    once = prepare(page)
    monkeypatch.setattr(preprocess, "MOST_AT_ONCE", 10_000)
    parts = prepare(page)
    assert abs(parts.image.astype(int) - once.image).max() <= 1
    assert parts.box == once.box
