"""Distortions, judged by geometry: where ink goes, and how far."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mnist_arch.data import sources
from mnist_arch.data.augment import ElasticAffine, Handwriting, PlanarAffine, RandomAffine
from mnist_arch.data.batches import Augmentation

MIDDLE = 13.5  # pixels, of rows and of columns
PLACE = (5.0, -4.0)  # of a dot: pixels right of the middle and below it

KERAS = RandomAffine(rotation=10, zoom=0.1, shift=0.1)
PLANAR = PlanarAffine(translation=2, scaling=0.1, squeezing=0.1, shearing=0.2)
ELASTIC = ElasticAffine(rotation=0, zoom=0, shift=0, alpha=34, sigma=4)
MIX = ElasticAffine(rotation=10, zoom=0.1, shift=0.1, alpha=34, sigma=4)
STILL = {"rotation": 0, "zoom": 0, "shift": 0, "alpha": 0, "sigma": 4}
ALIKE = {"slant": 0, "pen": 0, "coarse": 0, "contrast": 0}
STRANGERS = Handwriting(12, 0.12, 0.06, 24, 4, slant=0.25, pen=0.7, coarse=0.25, contrast=0.4)
ALL = [KERAS, PLANAR, ELASTIC, MIX, STRANGERS]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dot(count: int) -> Tensor:
    """A round dot, some pixels wide, at PLACE: (count, 1, 28, 28)."""
    across, down = (torch.arange(28) - MIDDLE - place for place in PLACE)
    return (255 * torch.exp(-(across**2 + down[:, None] ** 2) / 7)).expand(count, 1, 28, 28)


def centres(images: Tensor) -> tuple[Tensor, Tensor]:
    """The centres of mass, pixels right of the middle and below it, each (N,)."""
    places = torch.arange(28) - MIDDLE
    mass = images.sum((1, 2, 3))
    across, down = images.sum((1, 2)) @ places, images.sum((1, 3)) @ places
    return across / mass, down / mass


X, Y = PLACE
Told = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def reaches(drawn: Tensor, strength: float) -> bool:
    """Whether 400 draws are uniform between minus and plus the strength, by range and mean."""
    shares = drawn / strength
    within = -1.03 < shares.min() < -0.95 and 0.95 < shares.max() < 1.03
    return bool(within and shares.mean().abs() < 0.1)  # 3.5 standard errors


@pytest.mark.parametrize(
    ("distortion", "strength", "told"),
    [
        (
            RandomAffine(rotation=30, zoom=0, shift=0),
            math.radians(30),
            lambda x, y: (torch.atan2(y, x) - math.atan2(Y, X), x.hypot(y) - math.hypot(X, Y)),
        ),
        (
            PlanarAffine(translation=0, scaling=0.2, squeezing=0, shearing=0),
            math.log(1.2),
            lambda x, y: ((x / X).log(), y / Y - x / X),
        ),
        (
            PlanarAffine(translation=0, scaling=0, squeezing=0.2, shearing=0),
            math.log(1.2),
            lambda x, y: ((y / Y).log(), y / Y - X / x),
        ),
        (
            PlanarAffine(translation=0, scaling=0, squeezing=0, shearing=0.3),
            0.3,
            lambda x, y: ((x - X) / Y, y - Y),
        ),
    ],
    ids=["rotation", "scaling", "squeezing", "shearing"],
)
def test_a_dot_goes_as_far_as_the_strength_and_no_other_way(
    distortion: Augmentation, strength: float, told: Told
) -> None:
    """Where the dot is found tells what was drawn, and something that must be zero."""
    drawn, zero = told(*centres(distortion(dot(400), draws())))
    assert reaches(drawn, strength)
    assert zero.abs().max() < 0.02


@pytest.mark.parametrize(
    ("distortion", "strength", "told"),
    [
        (RandomAffine(0, zoom=0.2, shift=0), 0.2, lambda x, y: (X / x - 1, Y / y - 1)),
        (RandomAffine(0, 0, shift=0.1), 0.1, lambda x, y: ((x - X) / 28, (y - Y) / 28)),
        (PlanarAffine(3, 0, 0, 0), 3, lambda x, y: (x - X, y - Y)),
    ],
    ids=["zoom", "shift", "translation"],
)
def test_across_and_down_a_dot_goes_as_far_as_the_strength_and_apart(
    distortion: Augmentation, strength: float, told: Told
) -> None:
    across, down = told(*centres(distortion(dot(400), draws())))
    assert reaches(across, strength)
    assert reaches(down, strength)
    assert torch.corrcoef(torch.stack([across, down]))[0, 1].abs() < 0.2  # 4 standard errors


@pytest.mark.parametrize("distortion", [KERAS, PLANAR])
def test_a_dot_is_found_where_the_inverse_of_the_matrix_puts_it(
    distortion: RandomAffine | PlanarAffine,
) -> None:
    matrices = distortion.matrices(200, draws())
    place = torch.tensor(PLACE)[:, None] / 14 - matrices[:, :, 2:]
    expected = 14 * torch.linalg.solve(matrices[:, :, :2], place)
    found = torch.stack(centres(distortion(dot(200), draws())), dim=1)
    torch.testing.assert_close(found, expected[:, :, 0], rtol=0, atol=0.05)


def test_the_middle_moves_by_the_translation_whatever_else_is_drawn() -> None:
    strong = PlanarAffine(translation=2, scaling=0.5, squeezing=0.5, shearing=0.9)
    matrices = strong.matrices(2_000, draws())
    moved = -14 * torch.linalg.solve(matrices[:, :, :2], matrices[:, :, 2:])
    for direction in moved.flatten(1).unbind(1):
        assert -2 - 1e-4 < direction.min() < -1.98
        assert 1.98 < direction.max() < 2 + 1e-4


def test_kerass_zooms_are_the_matrixs_determinant() -> None:
    determinants = torch.linalg.det(KERAS.matrices(2_000, draws())[:, :, :2].double())
    assert 0.81 <= determinants.min() < 0.83
    assert 1.19 < determinants.max() <= 1.21 + 1e-6


@pytest.mark.parametrize(
    "distortion",
    [
        *(RandomAffine(0, 0, 0), PlanarAffine(0, 0, 0, 0), ElasticAffine(0, 0, 0, 0, 4)),
        Handwriting(**STILL, **ALIKE),
    ],
)
def test_no_strength_is_no_distortion(distortion: Augmentation) -> None:
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    same = distortion(images, draws())
    assert same.dtype == torch.float32
    torch.testing.assert_close(same, images.float(), rtol=0, atol=1e-5 * 255)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """4,000 real digits, float: (4000, 1, 28, 28)."""
    return sources.load("mnist_5k", sources.default_root()).train.images.float()


@pytest.mark.parametrize("distortion", [KERAS, PLANAR])
def test_a_real_digit_grows_and_moves_as_its_matrix_says(
    distortion: RandomAffine | PlanarAffine, digits: Tensor
) -> None:
    """An affine map moves the centre of mass with it, and spreads the ink by its determinant."""
    images = distortion(digits, draws())
    matrices = distortion.matrices(len(digits), draws())
    mass = digits.sum((1, 2, 3)) / torch.linalg.det(matrices[:, :, :2])
    kept = images.sum((1, 2, 3)) / mass
    assert kept.max() < 1.05
    assert kept.min() > 0.85  # the unluckiest lose some ink at the border
    assert kept.quantile(0.1) > 0.99
    before = torch.stack(centres(digits), dim=1)[:, :, None] / 14 - matrices[:, :, 2:]
    expected = 14 * torch.linalg.solve(matrices[:, :, :2], before)[:, :, 0]
    off = (torch.stack(centres(images), dim=1) - expected).abs()
    assert off.quantile(0.9) < 0.05


def test_elastic_distortion_keeps_digits_where_they_are_on_average(digits: Tensor) -> None:
    images = ELASTIC(digits, draws())
    kept = images.sum((1, 2, 3)) / digits.sum((1, 2, 3))
    assert kept.mean().sub(1).abs() < 0.02
    # The field's slopes have a standard deviation of 1.389 / (4 sqrt 2) = 0.246, and so a place
    # is stretched by 1 +- 0.35; the places of a digit differ.
    assert 0.1 < kept.std() < 0.35
    for after, before in zip(centres(images), centres(digits), strict=True):
        moved = after - before
        # A digit's centre moves by a mean of the field over its strokes: less than the field.
        assert 0.3 < moved.std() < 1.389
        assert moved.mean().abs() < 4 * moved.std() / math.sqrt(len(moved))


def kernel(sigma: float) -> list[float]:
    reach = math.ceil(3 * sigma)
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize(("alpha", "sigma"), [(34, 4), (8, 1.5), (60, 6)])
def test_a_field_is_as_strong_and_as_smooth_as_a_filtered_uniform_one(
    alpha: float, sigma: float
) -> None:
    """Its covariance at a distance: that of a uniform number, times the kernel's with itself."""
    fields = ElasticAffine(0, 0, 0, alpha, sigma).displacements(1_500, draws())
    weights = kernel(sigma)

    def overlap(distance: int) -> float:
        return sum(a * b for a, b in zip(weights, weights[distance:], strict=False))

    for distance in (0, 2, round(2 * sigma)):
        covariance = alpha**2 / 3 * overlap(0) * overlap(distance)
        across = (fields[:, :, : 28 - distance] * fields[:, :, distance:]).mean((0, 1, 2))
        down = (fields[:, : 28 - distance] * fields[:, distance:]).mean((0, 1, 2))
        bound = 0.05 * alpha**2 / 3 * overlap(0) ** 2
        assert (across - covariance).abs().max() < bound, distance
        assert (down - covariance).abs().max() < bound, distance
    border = fields[:, [0, 27]].pow(2).mean() / fields.pow(2).mean()
    assert border.sub(1).abs() < 0.07
    assert (fields[..., 0] * fields[..., 1]).mean().abs() < 0.05 * alpha**2 / 3 * overlap(0) ** 2


def test_affine_and_elastic_add_up_in_one_grid() -> None:
    """An image whose level is its column, or its row, shows where each pixel was looked up."""
    columns = torch.arange(28.0).expand(50, 1, 28, 28)
    generator = draws()
    matrices = MIX.matrices(50, generator)
    displacements = MIX.displacements(50, generator)
    places = (torch.arange(28) - MIDDLE) / 14
    ones = torch.ones(28, 28)
    grid = torch.stack([places.expand(28, 28), places[:, None].expand(28, 28), ones], dim=-1)
    seen = 14 * torch.einsum("nij,yxj->nyxi", matrices, grid) + MIDDLE + displacements
    inside = ((seen >= 0) & (seen <= 27)).all(dim=-1)
    assert inside.float().mean() > 0.7
    for axis, levels in enumerate([columns, columns.mT]):
        looked_up = MIX(levels, draws())[:, 0]
        torch.testing.assert_close(looked_up[inside], seen[..., axis][inside], rtol=0, atol=1e-4)


def test_without_alpha_elastic_is_the_affine() -> None:
    images = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8)
    plain = ElasticAffine(rotation=10, zoom=0.1, shift=0.1, alpha=0, sigma=4)
    assert plain(images, draws()).equal(KERAS(images, draws()))


@pytest.mark.parametrize("distortion", ALL)
def test_images_of_a_batch_are_distorted_apart_and_as_the_generator_says(
    distortion: Augmentation,
) -> None:
    images = torch.randint(0, 256, (1, 1, 28, 28), dtype=torch.uint8).expand(16, -1, -1, -1)
    first, second = (distortion(images, draws(seed)) for seed in (0, 1))
    assert len(first.flatten(1).unique(dim=0)) == 16
    assert not first.equal(second)
    assert first.equal(distortion(images, draws(0)))
    generator = draws(0)
    assert not distortion(images, generator).equal(distortion(images, generator))


@pytest.mark.parametrize("distortion", ALL)
def test_draws_depend_neither_on_the_type_nor_on_the_device_of_images(
    distortion: Augmentation,
) -> None:
    images = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
    one, other, elsewhere = draws(), draws(), draws()
    assert distortion(images, one).equal(distortion(images.float(), other))
    shown = distortion(images.to("meta"), elsewhere)  # a device that has shapes but no numbers
    assert (shown.device.type, shown.shape) == ("meta", images.shape)
    assert one.get_state().equal(other.get_state())
    assert one.get_state().equal(elsewhere.get_state())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomAffine(-1, 0, 0), r"rotation=-1: must be finite, 0 or more"),
        (lambda: RandomAffine(math.inf, 0, 0), r"rotation=inf: must be finite, 0 or more"),
        (lambda: RandomAffine(0, 1, 0), r"zoom=1: must be 0 or more and below 1"),
        (lambda: RandomAffine(0, 0, math.nan), r"shift=nan: must be 0 or more and below 1"),
        (lambda: PlanarAffine(28, 0, 0, 0), r"translation=28: must be 0 or more and below 28"),
        (lambda: PlanarAffine(0, -0.1, 0, 0), r"scaling=-0\.1: must be finite, 0 or more"),
        (lambda: PlanarAffine(0, 0, -0.1, 0), r"squeezing=-0\.1: must be finite, 0 or more"),
        (lambda: PlanarAffine(0, 0, 0, -0.1), r"shearing=-0\.1: must be finite, 0 or more"),
        (lambda: ElasticAffine(0, 2, 0, 34, 4), r"zoom=2: must be 0 or more and below 1"),
        (lambda: ElasticAffine(0, 0, 0, -1, 4), r"alpha=-1: must be finite, 0 or more"),
        (lambda: ElasticAffine(0, 0, 0, 34, 0), r"sigma=0: must be above 0 and at most 28"),
        (lambda: ElasticAffine(0, 0, 0, 34, 29), r"sigma=29: must be above 0 and at most 28"),
    ],
)
def test_an_impossible_strength_is_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def only(**strength: float) -> Handwriting:
    return Handwriting(**STILL, **(ALIKE | strength))


def test_slant_moves_a_row_by_its_distance_from_the_middle() -> None:
    across, down = centres(only(slant=0.3)(dot(400), draws()))
    assert reaches((across - X) / -Y, 0.3)
    assert (down - Y).abs().max() < 0.05


def test_a_pen_widens_or_narrows_each_edge_by_a_share_of_a_pixel(digits: Tensor) -> None:
    """A bar 6 wide and 20 high has 120 of ink; a pixel more on each side 176, one less 72."""
    bar = torch.zeros(400, 1, 28, 28)
    bar[:, :, 4:24, 11:17] = 255
    ink = only(pen=1)(bar, draws()).sum((1, 2, 3)) / 255
    assert 72 <= ink.min() < 73
    assert 175 < ink.max() <= 176
    assert (only(pen=1)(digits, draws()) <= 255).all()


def test_what_is_coarse_is_a_share_of_the_images_and_keeps_its_ink(digits: Tensor) -> None:
    some = only(coarse=0.25)(digits, draws())
    changed = (some - digits).abs().amax((1, 2, 3)) > 1
    assert changed.float().mean() == pytest.approx(0.25, abs=4 * 0.007)
    kept = some[changed].sum((1, 2, 3)) / digits[changed].sum((1, 2, 3))
    assert (kept - 1).abs().quantile(0.9) < 0.15  # cells of a grid that does not divide 28 overlap


def test_contrast_leaves_paper_and_ink_and_raises_what_is_between() -> None:
    grey = torch.zeros(400, 1, 28, 28)
    grey[:, :, :, 9:], grey[:, :, :, 18:] = 127.5, 255
    images = only(contrast=0.5)(grey, draws())
    torch.testing.assert_close(images[:, :, :, :9], grey[:, :, :, :9])
    torch.testing.assert_close(images[:, :, :, 18:], grey[:, :, :, 18:])
    exponent = (images[:, 0, 14, 14] / 255).log() / math.log(0.5)
    assert reaches(exponent - 1, 0.5)
