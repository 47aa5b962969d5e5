"""Corruptions, judged by geometry, by counting and by the laws of what is drawn."""

import math

import pytest
import torch
from torch import Tensor

from mnist_arch.analysis.corruptions import CORRUPTIONS, WHITE
from mnist_arch.data import sources
from mnist_arch.randomness import generator


def corrupted(name: str, images: Tensor, strength: float, seed: int = 0) -> Tensor:
    return CORRUPTIONS[name](images, strength, generator(seed, "corruption"))


def flat(value: float, count: int = 400) -> Tensor:
    return torch.full((count, 1, 28, 28), value)


def dot(across: float = 3, down: float = -2, count: int = 400) -> Tensor:
    """A round dot so many pixels from the middle, far from every border."""
    x, y = (torch.arange(28) - 13.5 - place for place in (across, down))
    return (200 * torch.exp(-(x**2 + y[:, None] ** 2) / 4)).expand(count, 1, 28, 28)


def centres(images: Tensor) -> Tensor:
    """The centres of mass, pixels right of the middle and below it, (N, 2)."""
    places = torch.arange(28) - 13.5
    sums = torch.stack([images.sum((1, 2)) @ places, images.sum((1, 3)) @ places], dim=1)
    return sums / images.sum((1, 2, 3))[:, None]


def spreads(images: Tensor) -> Tensor:
    """The variances of a centred dot's mass across and down, pixels squared, (N, 2)."""
    squares = (torch.arange(28) - 13.5) ** 2
    sums = torch.stack([images.sum((1, 2)) @ squares, images.sum((1, 3)) @ squares], dim=1)
    return sums / images.sum((1, 2, 3))[:, None]


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """500 real digits, uint8."""
    return sources.load("mnist_5k", sources.default_root()).test.images


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_keeps_shape_and_levels_and_is_drawn_by_the_seed_alone(
    name: str, digits: Tensor
) -> None:
    each, before = CORRUPTIONS[name], digits.clone()
    assert corrupted(name, digits, each.neutral).equal(digits.float())
    for strength in each.strengths:
        images = corrupted(name, digits, strength)
        assert (images.dtype, images.shape) == (torch.float32, digits.shape)
        assert 0 <= images.min() < images.max() <= 255
        assert images.equal(corrupted(name, digits.float(), strength))
    assert digits.equal(before)
    drawn = not corrupted(name, digits, each.strengths[0], seed=1).equal(
        corrupted(name, digits, each.strengths[0])
    )
    fixed = {"scale", "blur", "inversion", "brightness", "stripe", "outline"}
    assert drawn == (name not in fixed)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_greater_strength_changes_digits_more(name: str, digits: Tensor) -> None:
    """Further from the neutral strength, the images are further from what they were."""
    each = CORRUPTIONS[name]
    for side in (-1, 1):
        strengths = sorted(
            (s for s in each.strengths if (s - each.neutral) * side > 0),
            key=lambda strength: abs(strength - each.neutral),
        )
        # A half turn brings digits back onto themselves, a long way takes them out of sight.
        limits = {"rotation": 60, "shift": 4}
        strengths = [s for s in strengths if s <= limits.get(name, s)]
        away = [(corrupted(name, digits, s) - digits).abs().mean().item() for s in strengths]
        assert away == sorted(set(away))


def test_a_quarter_turn_is_rot90_either_way(digits: Tensor) -> None:
    turned, images = corrupted("rotation", digits, 90), digits.float()
    off = torch.stack(
        [(turned - images.rot90(way, (2, 3))).abs().amax((1, 2, 3)) for way in (1, -1)]
    )
    assert off.amin(0).max() < 0.01
    assert 0.4 < (off[0] < off[1]).float().mean() < 0.6
    half = corrupted("rotation", digits, 180)
    torch.testing.assert_close(half, images.flip(2, 3), rtol=0, atol=0.01)


def test_a_dot_turns_by_the_angle() -> None:
    x, y = centres(corrupted("rotation", dot(), 30)).unbind(1)
    turned = torch.rad2deg(torch.atan2(y, x) - math.atan2(-2, 3))
    assert turned.round().unique().tolist() == [-30, 30]
    torch.testing.assert_close(x.hypot(y), torch.full((400,), 13**0.5), rtol=0, atol=0.02)


def test_a_shift_moves_a_dot_in_four_directions_and_keeps_its_mass() -> None:
    images = corrupted("shift", dot(), 4)
    torch.testing.assert_close(images.sum((1, 2, 3)), dot().sum((1, 2, 3)), rtol=1e-4, atol=0)
    moved = centres(images) - centres(dot())
    ways, counts = moved.round().unique(dim=0, return_counts=True)
    assert sorted(ways.tolist()) == [[-4, 0], [0, -4], [0, 4], [4, 0]]
    assert counts.min() > 60  # of 100 each
    assert (moved - moved.round()).abs().max() < 0.01


@pytest.mark.parametrize("factor", [0.4, 0.8, 1.6])
def test_scale_multiplies_places_by_its_factor_and_mass_by_its_square(factor: float) -> None:
    images = corrupted("scale", dot(count=1), factor)
    torch.testing.assert_close(centres(images), factor * centres(dot(count=1)), rtol=0, atol=0.02)
    assert images.sum() / dot(count=1).sum() == pytest.approx(factor**2, rel=0.02)


def test_noise_has_its_standard_deviation_and_no_memory() -> None:
    off = corrupted("noise", flat(127.5), 32) - 127.5  # clipped beyond 4 deviations only
    assert off.std() == pytest.approx(32, rel=0.01)
    assert off.mean().abs() < 0.2  # 4 standard errors are 0.23
    assert (off[..., 1:] * off[..., :-1]).mean().abs() < 32**2 * 0.01


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_blur_keeps_mass_and_adds_its_variance(sigma: float) -> None:
    still = dot(0, 0, count=1)
    images = corrupted("blur", still, sigma)
    assert images.sum().item() == pytest.approx(still.sum().item(), rel=1e-4)
    added = spreads(images) - spreads(still)
    torch.testing.assert_close(added, torch.full((1, 2), sigma**2), rtol=0.03, atol=0)


def test_occlusion_hides_one_square_anywhere_inside() -> None:
    hidden = corrupted("occlusion", flat(200), 6) == 0
    assert hidden.sum((1, 2, 3)).eq(36).all()
    assert hidden.any(2).sum(2).eq(6).all()
    assert hidden.any(3).sum(2).eq(6).all()
    corners = hidden.flatten(1).int().argmax(1)
    for places in (corners // 28, corners % 28):
        assert (places.min(), places.max()) == (0, 22)


def test_inversion_is_the_negative_and_twice_nothing(digits: Tensor) -> None:
    assert corrupted("inversion", digits, 1).equal(255 - digits.float())
    twice = corrupted("inversion", corrupted("inversion", digits, 1), 1)
    assert twice.equal(digits.float())
    assert corrupted("inversion", digits, 0.5).unique().tolist() == [127.5]


def test_photons_are_counted_by_poissons_law() -> None:
    """Variance is proportional to the value: at a quarter of full ink half the deviation."""
    images = corrupted("shot_noise", flat(WHITE / 4), 32)
    assert images.mean() == pytest.approx(WHITE / 4, rel=0.005)
    assert images.std() == pytest.approx(32 / 2, rel=0.02)
    assert corrupted("shot_noise", flat(0), 32).max() == 0


def test_impulses_hit_their_share_of_the_pixels_half_of_them_black() -> None:
    images = corrupted("impulse_noise", flat(100), 0.2)
    shares = [(images == value).float().mean().item() for value in (0, 100, 255)]
    assert shares == pytest.approx([0.1, 0.8, 0.1], abs=0.003)


def test_glass_shows_pixels_of_the_neighbourhood() -> None:
    """Values that are column numbers, and row numbers, tell where each pixel comes from."""
    for values in (
        torch.arange(28.0).expand(400, 1, 28, 28),
        torch.arange(28.0)[:, None].expand(400, 1, 28, 28),
    ):
        moved = (corrupted("glass_blur", values, 2) - values)[..., 2:-2, 2:-2]
        values, counts = moved.unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert (counts / counts.sum() - 0.2).abs().max() < 0.01


def test_motion_smears_a_dot_along_one_direction() -> None:
    still = dot(0, 0)
    images = corrupted("motion_blur", still, 6)
    torch.testing.assert_close(images.sum((1, 2, 3)), still.sum((1, 2, 3)), rtol=1e-3, atol=0)
    added = (spreads(images) - spreads(still)).sum(1)
    expected = 6**2 / 12 * (13 + 1) / (13 - 1)  # of 13 equally spaced places
    assert added.mean() == pytest.approx(expected, rel=0.15)  # bilinear sampling adds some
    assert (centres(images)).abs().max() < 0.02


def test_shear_moves_rows_by_their_height_either_way() -> None:
    x, y = (centres(corrupted("shear", dot(0, -4), 0.5)) - centres(dot(0, -4))).unbind(1)
    assert x.round().unique().tolist() == [-2, 2]
    assert x.abs().sub(2).abs().max() < 0.02
    assert y.abs().max() < 0.02


def test_brightness_adds_pixel_values(digits: Tensor) -> None:
    assert corrupted("brightness", digits, 50).equal((digits.float() + 50).clamp(max=255))


def test_a_stripe_is_inverted_in_the_middle(digits: Tensor) -> None:
    images = corrupted("stripe", digits, 4)
    expected = digits.float()
    expected[..., 12:16] = 255 - expected[..., 12:16]
    assert images.equal(expected)


def test_fog_is_as_opaque_as_it_says_where_it_is_densest() -> None:
    images = corrupted("fog", flat(0), 0.6)
    torch.testing.assert_close(images.amax((1, 2, 3)), torch.full((400,), 0.6 * 255))
    assert images.amin((1, 2, 3)).max() < 0.01
    assert corrupted("fog", flat(255), 0.6).min() == 255


def test_spatter_covers_its_share_in_blots() -> None:
    wet = (corrupted("spatter", flat(0), 0.1) == 255).float()
    assert wet.sum((1, 2, 3)).sub(78).abs().max() == 0  # of 784
    together = (wet[..., 1:] * wet[..., :-1]).mean() / wet.mean()
    assert together > 0.5  # of single pixels a tenth would have ink beside them


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_lines_add_ink_across_the_image(name: str) -> None:
    one, two = (corrupted(name, flat(0), number) for number in (1, 2))
    assert one.unique().tolist() == [0, 255]
    assert (two >= one).all()  # the first line is where it was
    inked = one[:, 0] == 255
    sides = inked.any(1).int(), inked.any(2).int()
    spans = [28 - side.argmax(1) - side.flip(1).argmax(1) for side in sides]
    # At most 7 pixels from the middle a line is 24 pixels long, 17 of them in one direction; as
    # many as 2 at either end may be a gap between dots.
    assert torch.maximum(*spans).min() >= 13
    assert inked.float().mean((1, 2)).max() < 0.15


def test_an_outline_surrounds_the_ink_and_leaves_it_white() -> None:
    square = torch.zeros(1, 1, 28, 28)
    square[..., 10:14, 10:14] = 255
    ring = torch.zeros(1, 1, 28, 28)
    ring[..., 9:15, 9:15] = 255
    assert corrupted("outline", square, 1).equal(ring - square)
