"""Augmentation of whole batches, each image by its own draw.

Each is a function of images, (N, 1, 28, 28) pixel values, uint8 or float, and of a generator on
the CPU. It returns float images of the same shape; what came from outside is background, 0. All
draws are made on the CPU, all arithmetic on images where the images are. However much is combined,
an image is interpolated once, bilinearly, so it is not blurred twice.

Why not a library: kornia 0.9 and torchvision 0.29 take no torch.Generator; torchvision draws once
for a whole batch; kornia interpolates twice for affine and elastic, and is slower (one CPU thread,
images/s ours to kornia's: affine 3.4 to 1 in batches of 64 and 1.9 in 1000, elastic 2.6 and 5.8).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

HALF = 14  # pixels from the middle of an image to its border


@dataclass(frozen=True)
class RandomAffine:
    """Rotates, zooms and shifts each image, as Keras's ImageDataGenerator draws them.

    Five uniform draws an image: of angle, zoom of the width, zoom of the height, and two shifts.

    Attributes:
        rotation: Greatest turn either way, degrees.
        zoom: Greatest relative change of size; height and width are drawn apart.
        shift: Greatest shift in each direction, as a share of the 28 pixels.
    """

    rotation: float
    zoom: float
    shift: float

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        _check(self, rotation=math.inf, zoom=1, shift=1)

    def __call__(self, images: Tensor, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel values -> the same as float."""
        return sampled(images, self.matrices(len(images), draws))

    def matrices(self, count: int, draws: torch.Generator) -> Tensor:
        """Draw (count, 2, 3) matrices from places in the result to places in the image.

        Places are (x, y, 1) with -1 and 1 at the borders, x to the right and y down.
        """
        turn, zoom_x, zoom_y, shift_x, shift_y = _uniform(5, count, draws)
        angle = turn * math.radians(self.rotation)
        cos, sin = angle.cos(), angle.sin()
        width, height = 1 + self.zoom * zoom_x, 1 + self.zoom * zoom_y
        across, down = 2 * self.shift * shift_x, 2 * self.shift * shift_y
        rows = [cos * width, -sin * height, across, sin * width, cos * height, down]
        return torch.stack(rows, dim=1).view(count, 2, 3).float()


@dataclass(frozen=True)
class PlanarAffine:
    """Moves, scales, squeezes and shears each image: LeCun et al. 1998, section III-B, figure 7.

    Five uniform draws an image: of two translations, scale, squeeze and shear; scale and squeeze
    are uniform on a logarithmic axis. The paper names these distortions but prints no ranges.
    Assumed: 2 pixels, 0.1, 0.1 and 0.2, by which 19 digits in 20 keep 99 % of their ink.

    Attributes:
        translation: Greatest shift in each direction, pixels.
        scaling: Greatest relative growth of the size; it shrinks by the same factor.
        squeezing: Greatest relative growth of the height, while the width shrinks by the same
            factor, or the reverse.
        shearing: Greatest slant: pixels that a row moves sideways for each row from the middle.
    """

    translation: float
    scaling: float
    squeezing: float
    shearing: float

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        infinity = math.inf
        _check(self, translation=28, scaling=infinity, squeezing=infinity, shearing=infinity)

    def __call__(self, images: Tensor, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel values -> the same as float."""
        return sampled(images, self.matrices(len(images), draws))

    def matrices(self, count: int, draws: torch.Generator) -> Tensor:
        """Draw (count, 2, 3) matrices, with places as in RandomAffine.

        Ink moves from (x, y) to (width x + shear height y + across, height y + down); the
        matrices are of the inverse.
        """
        right, lower, grown, squeezed, slanted = _uniform(5, count, draws)
        across, down = right * self.translation / HALF, lower * self.translation / HALF
        scale, squeeze = (1 + self.scaling) ** grown, (1 + self.squeezing) ** squeezed
        width, height, shear = scale / squeeze, scale * squeeze, self.shearing * slanted
        first = [1 / width, -shear / width, (shear * down - across) / width]
        second = [torch.zeros_like(height), 1 / height, -down / height]
        return torch.stack(first + second, dim=1).view(count, 2, 3).float()


@dataclass(frozen=True)
class ElasticAffine(RandomAffine):
    """Adds elastic distortion, Simard, Steinkraus and Platt 2003, section 2, to RandomAffine.

    After RandomAffine's draws, two an image and pixel, uniform in (-1, 1): the horizontal and the
    vertical displacement field. Each is convolved with a Gaussian and multiplied by ``alpha``. The
    paper looks at fields normalised to a norm of 1 to explain sigma; here, as it is commonly read,
    the Gaussian's weights sum to 1 and the field is not normalised again. Either displacement then
    has a root mean square of about ``alpha / (6.14 sigma)`` pixels: 1.39 at the paper's 34 and 4.
    The noise continues beyond the image, so that the borders are displaced as much as the middle.

    Attributes:
        alpha: Strength of the displacement, pixels; 34 in the paper.
        sigma: Standard deviation of the Gaussian, pixels; 4 in the paper.
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        super().__post_init__()
        _check(self, alpha=math.inf)
        if not 0 < self.sigma <= 2 * HALF:
            raise ValueError(f"sigma={self.sigma}: must be above 0 and at most {2 * HALF}")

    def __call__(self, images: Tensor, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel values -> the same as float."""
        matrices = self.matrices(len(images), draws)
        return sampled(images, matrices, self.displacements(len(images), draws, images.device))

    def displacements(
        self, count: int, draws: torch.Generator, device: torch.device | None = None
    ) -> Tensor:
        """Draw (count, 28, 28, 2) displacements, (x, y) in pixels of the image."""
        reach = math.ceil(3 * self.sigma)
        # Eight bytes of noise from each draw, 256 values each: float draws take ten times as
        # long, and most of the augmentation's time.
        words = torch.randint(-(2**63), 2**63 - 1, (count, (HALF + reach) ** 2), generator=draws)
        noise = words.view(torch.int8).to(device, non_blocking=True).float()
        noise = noise.view(count, 2, 2 * (HALF + reach), -1)  # -128 to 127
        # As two matrix products the convolution is ten times as fast as by conv2d.
        middles = torch.arange(2 * HALF, device=device)[:, None] + reach
        offsets = torch.arange(2 * (HALF + reach), device=device) - middles
        weights = torch.exp(-((offsets / self.sigma) ** 2) / 2) * (offsets.abs() <= reach)
        weights = weights / weights.sum(dim=1, keepdim=True)
        smooth = weights @ noise @ weights.T + 0.5
        return (self.alpha / 128 * smooth).movedim(1, -1)


@dataclass(frozen=True)
class Handwriting(ElasticAffine):
    """Adds other pens and coarser scanners to ElasticAffine, for digits of strangers.

    After its draws, four an image: of slant, of the strokes' width, whether it is coarse, and of
    contrast; and one for all, of the grid of those that are coarse.

    Attributes:
        slant: Greatest slant either way: pixels that a row moves for each row from the middle.
        pen: Greatest growth or loss of the strokes, as a share of one pixel at each edge.
        coarse: Share of the images that are reduced to a grid of 7x7 to 14x14, and enlarged again.
        contrast: Greatest relative change of the exponent by which grey values are raised.
    """

    slant: float
    pen: float
    coarse: float
    contrast: float

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        super().__post_init__()
        _check(self, slant=math.inf, contrast=1)
        for name in ("pen", "coarse"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be from 0 to 1")

    def __call__(self, images: Tensor, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel values -> the same as float."""
        count = len(images)
        matrices = self.matrices(count, draws)
        displacements = self.displacements(count, draws, images.device)
        slant, pen, coarse, contrast = _uniform(4, count, draws).float()
        grid = int(torch.randint(7, 15, (), generator=draws))
        sheared = torch.eye(3).repeat(count, 1, 1)
        sheared[:, 0, 1] = slant * self.slant
        ink = sampled(images, matrices @ sheared, displacements)
        small = (F.interpolate(ink, (grid, grid), mode="area"), (2 * HALF, 2 * HALF))
        reduced = F.interpolate(*small, mode="bicubic", align_corners=False)
        share, widened, exponent = (
            each.to(ink.device)[:, None, None, None]
            for each in ((coarse + 1) / 2, pen * self.pen, 1 + contrast * self.contrast)
        )
        ink = torch.where(share < self.coarse, reduced, ink).clamp(0, 255)
        wider = F.max_pool2d(ink, 3, 1, 1) - ink
        narrower = ink + F.max_pool2d(-ink, 3, 1, 1)
        ink = ink + widened.clamp(min=0) * wider + widened.clamp(max=0) * narrower
        return 255 * (ink / 255).pow(exponent)


def sampled(images: Tensor, matrices: Tensor, displacements: Tensor | None = None) -> Tensor:
    """(N, 1, 28, 28) images seen through a grid -> the same as float.

    A place p of the result shows the image at ``matrices`` p + ``displacements`` at p, which are
    (N, 2, 3), from and to places between -1 and 1, and (N, 28, 28, 2) pixels.
    """
    matrices = matrices.to(images.device, non_blocking=True)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    if displacements is not None:
        grid = grid + displacements / HALF
    return F.grid_sample(images.float(), grid, align_corners=False)


def _uniform(rows: int, count: int, draws: torch.Generator) -> Tensor:
    """Draw (rows, count) numbers between -1 and 1."""
    return torch.rand(rows, count, generator=draws, dtype=torch.float64) * 2 - 1


def _check(augmentation: object, **limits: float) -> None:
    """Refuse a strength that is not a number from 0 to below its limit."""
    for name, limit in limits.items():
        value = getattr(augmentation, name)
        if not 0 <= value < limit:
            valid = "finite, 0 or more" if limit == math.inf else f"0 or more and below {limit}"
            raise ValueError(f"{name}={value}: must be {valid}")
