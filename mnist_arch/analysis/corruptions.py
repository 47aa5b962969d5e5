"""Corruptions of images, each at a given strength.

Seven are swept over many strengths: rotation, shift, scale, noise, blur, occlusion and inversion.
The others are MNIST-C-like: our own code, named after the corruptions of MNIST-C (Mu
and Gilmer 2019, arXiv:1906.02337), not its published images, so errors on them compare our
networks with one another and with nobody else's. Of its fifteen, rotate, scale and translate are
the first three here; its Canny edges are the outline.

Each image has random draws of its own, the same at every strength, so that a curve over strengths
follows the same images. Pixels from outside an image are background, 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_arch.data.augment import HALF, sampled

SIDE = 2 * HALF  # pixels
WHITE = 255.0  # the pixel value of ink


@dataclass(frozen=True)
class Corruption:
    """One way to corrupt images.

    Attributes:
        title: Its name in figures, with the unit of its strength.
        apply: Takes (N, 1, 28, 28) float pixel values, the strength and a generator on the CPU.
        strengths: Those that are tested, weakest first; the neutral one is not among them.
        neutral: The strength that changes nothing.
    """

    title: str
    apply: Callable[[Tensor, float, torch.Generator], Tensor]
    strengths: tuple[float, ...]
    neutral: float = 0

    def __call__(self, images: Tensor, strength: float, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel values, uint8 or float -> the same as float, 0 to 255."""
        values = images.float()
        if strength == self.neutral:
            return values
        return self.apply(values, strength, draws).clamp(0, WHITE)


def rotation(images: Tensor, degrees: float, draws: torch.Generator) -> Tensor:
    """Rotate about the centre, clockwise or anticlockwise."""
    angle = math.radians(degrees) * _side(images, draws)
    cos, sin = angle.cos(), angle.sin()
    return _mapped(images, cos, -sin, 0, sin, cos, 0)


def shift(images: Tensor, pixels: float, draws: torch.Generator) -> Tensor:
    """Move left, right, up or down."""
    turn = torch.randint(0, 4, (len(images),), generator=draws) * math.pi / 2
    step = pixels / HALF
    return _mapped(images, 1, 0, step * turn.cos(), 0, 1, step * turn.sin())


def scale(images: Tensor, factor: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Enlarge or shrink about the centre; shrunken pixels are means of what they cover."""
    parts = math.ceil(1 / factor)
    places = [((part + 0.5) / parts - 0.5) / factor / HALF for part in range(parts)]
    samples = [_mapped(images, 1 / factor, 0, x, 0, 1 / factor, y) for x in places for y in places]
    return torch.stack(samples).mean(0)


def noise(images: Tensor, deviation: float, draws: torch.Generator) -> Tensor:
    """Add Gaussian noise of that standard deviation, in pixel values, before clipping."""
    return images + deviation * torch.randn(images.shape, generator=draws)


def blur(images: Tensor, sigma: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Convolve with a Gaussian of that standard deviation, in pixels."""
    places = torch.arange(SIDE)
    weights = torch.exp(-(((places[:, None] - places) / sigma) ** 2) / 2)
    reach = torch.arange(-math.ceil(6 * sigma), math.ceil(6 * sigma) + 1)
    weights /= torch.exp(-((reach / sigma) ** 2) / 2).sum()
    return weights @ images @ weights


def occlusion(images: Tensor, side: float, draws: torch.Generator) -> Tensor:
    """Blank out a square of that many pixels a side, entirely inside the image."""
    corner = torch.randint(0, SIDE - int(side) + 1, (2, len(images), 1), generator=draws)
    across, down = ((torch.arange(SIDE) - each).ge(0) for each in corner)
    across &= torch.arange(SIDE) < corner[0] + side
    down &= torch.arange(SIDE) < corner[1] + side
    return images.masked_fill((across[:, None] & down[:, :, None])[:, None], 0)


def inversion(images: Tensor, share: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Mix with the negative: 0.5 is plain grey, 1 is dark ink on a light ground."""
    return images + share * (WHITE - 2 * images)


def shot_noise(images: Tensor, deviation: float, draws: torch.Generator) -> Tensor:
    """Add photon noise, whose standard deviation at full ink is given in pixel values."""
    photons = (WHITE / deviation) ** 2
    return torch.poisson(images / WHITE * photons, generator=draws) / photons * WHITE


def impulse_noise(images: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Turn that share of the pixels black or white."""
    drawn = torch.rand(images.shape, generator=draws)
    return images.masked_fill(drawn < share / 2, 0).masked_fill(drawn > 1 - share / 2, WHITE)


def glass_blur(images: Tensor, reach: float, draws: torch.Generator) -> Tensor:
    """Replace each pixel by one that is at most so many rows and columns away."""
    drawn = torch.rand(2, len(images), SIDE, SIDE, generator=draws)
    moves = (drawn * (2 * reach + 1)).floor().long() - int(reach)
    rows = (torch.arange(SIDE)[:, None] + moves[0]).clamp(0, SIDE - 1)
    columns = (torch.arange(SIDE) + moves[1]).clamp(0, SIDE - 1)
    sources = (SIDE * rows + columns).flatten(1)
    return images.flatten(1).gather(1, sources).view_as(images)


def motion_blur(images: Tensor, length: float, draws: torch.Generator) -> Tensor:
    """Smear over that many pixels in a random direction."""
    angle = math.pi * torch.rand(len(images), generator=draws)
    steps = torch.linspace(-length / 2, length / 2, 2 * math.ceil(length) + 1) / HALF
    moved = (_mapped(images, 1, 0, s * angle.cos(), 0, 1, s * angle.sin()) for s in steps.tolist())
    return sum(moved, torch.zeros(())) / len(steps)


def shear(images: Tensor, slant: float, draws: torch.Generator) -> Tensor:
    """Move each row sideways, by so many pixels per row from the centre, either way."""
    return _mapped(images, 1, slant * _side(images, draws), 0, 0, 1, 0)


def brightness(images: Tensor, added: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Add that many pixel values to ink and background alike."""
    return images + added


def stripe(images: Tensor, width: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Invert a vertical stripe through the centre, so many pixels wide."""
    inside = (torch.arange(SIDE) - (SIDE - 1) / 2).abs() < width / 2
    return torch.where(inside, WHITE - images, images)


def fog(images: Tensor, opacity: float, draws: torch.Generator) -> Tensor:
    """Veil with white clouds, of that opacity where they are densest."""
    clouds = torch.zeros(())
    for cells in (3, 6, 12):  # clouds half as large as the last, and half as dense
        drawn = torch.rand(len(images), 1, cells, cells, generator=draws)
        clouds = clouds + F.interpolate(drawn, (SIDE, SIDE), mode="bicubic") / cells
    low, high = clouds.amin((2, 3), keepdim=True), clouds.amax((2, 3), keepdim=True)
    return images + opacity * (clouds - low) / (high - low) * (WHITE - images)


def spatter(images: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Splash ink on that share of the image, in blots."""
    field = torch.randn(len(images), 1, SIDE + 6, SIDE + 6, generator=draws)
    for _ in range(3):  # nearly a Gaussian of 1.4 pixels
        field = F.avg_pool2d(field, 3, stride=1)
    dry = round((1 - share) * SIDE**2)
    threshold = field.flatten(1).kthvalue(dry).values[:, None, None, None]
    return images.masked_fill(field > threshold, WHITE)


def dotted_line(images: Tensor, number: float, draws: torch.Generator) -> Tensor:
    """Draw that many straight dotted lines across the image, in ink."""
    for _ in range(int(number)):
        along, off = _line(images, draws)
        images = images.masked_fill((off.abs() < 0.75) & (along.remainder(4) < 2), WHITE)
    return images


def zigzag(images: Tensor, number: float, draws: torch.Generator) -> Tensor:
    """Draw that many zigzags across the image, in ink; their teeth are 8 pixels apart."""
    for _ in range(int(number)):
        along, off = _line(images, draws)
        tooth = (along.remainder(8) - 4).abs() - 2  # -2 to 2 pixels
        images = images.masked_fill((off - tooth).abs() < 1, WHITE)
    return images


def outline(images: Tensor, share: float, draws: torch.Generator) -> Tensor:  # noqa: ARG001
    """Mix with the outline: the pixels beside ink that are not ink."""
    ink = (images > WHITE / 2).float()
    rim = F.max_pool2d(ink, 3, stride=1, padding=1) - ink
    return images + share * (WHITE * rim - images)


SWEEPS = {
    "rotation": Corruption("rotation, degrees", rotation, tuple(range(15, 181, 15))),
    "shift": Corruption("shift, pixels", shift, (1, 2, 3, 4, 6, 8, 10)),
    "scale": Corruption("scale, factor", scale, (0.4, 0.6, 0.8, 1.2, 1.4, 1.6), neutral=1),
    "noise": Corruption("Gaussian noise, pixel values", noise, (32, 64, 96, 128, 192)),
    "blur": Corruption("Gaussian blur, pixels", blur, (0.5, 1, 1.5, 2, 3)),
    "occlusion": Corruption("occlusion, pixels a side", occlusion, (4, 8, 10, 12, 16)),
    "inversion": Corruption("inversion, share", inversion, (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1)),
}
MNIST_C_LIKE = {
    "shot_noise": Corruption("shot noise, pixel values", shot_noise, (64, 128, 256)),
    "impulse_noise": Corruption("impulse noise, share", impulse_noise, (0.1, 0.2, 0.4)),
    "glass_blur": Corruption("glass blur, pixels", glass_blur, (1, 2, 3)),
    "motion_blur": Corruption("motion blur, pixels", motion_blur, (4, 8, 12)),
    "shear": Corruption("shear, slant", shear, (0.3, 0.6, 0.9)),
    "brightness": Corruption("brightness, pixel values", brightness, (50, 100, 150)),
    "stripe": Corruption("stripe, pixels", stripe, (2, 4, 8)),
    "fog": Corruption("fog, opacity", fog, (0.3, 0.6, 0.9)),
    "spatter": Corruption("spatter, share", spatter, (0.05, 0.1, 0.2)),
    "dotted_line": Corruption("dotted lines", dotted_line, (1, 2, 4)),
    "zigzag": Corruption("zigzags", zigzag, (1, 2, 4)),
    "outline": Corruption("outline, share", outline, (0.5, 0.75, 1)),
}
CORRUPTIONS = SWEEPS | MNIST_C_LIKE


def _side(images: Tensor, draws: torch.Generator) -> Tensor:
    """Draw (N,) signs."""
    return torch.randint(0, 2, (len(images),), generator=draws) * 2.0 - 1


def _line(images: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw straight lines near the centre: each pixel's place along one, and its distance off."""
    turn, offset = torch.rand(2, len(images), 1, 1, 1, generator=draws)
    across = torch.arange(SIDE) - (SIDE - 1) / 2
    cos, sin = (math.pi * turn).cos(), (math.pi * turn).sin()
    along = across * cos + across[:, None] * sin
    off = across[:, None] * cos - across * sin
    return along, off - 7 * (2 * offset - 1)


def _mapped(images: Tensor, *entries: Tensor | float) -> Tensor:
    """Sample each image at a 2x3 matrix of its places; entries are (N,) or the same for all."""
    columns = [torch.as_tensor(entry).float().expand(len(images)) for entry in entries]
    return sampled(images, torch.stack(columns, dim=1).view(-1, 2, 3))
