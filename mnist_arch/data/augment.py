"""Distortions of whole batches, each image by its own draw."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class RandomAffine:
    """Rotates, zooms and shifts each image, as Keras's ImageDataGenerator draws them.

    Attributes:
        rotation: Greatest turn either way, degrees.
        zoom: Greatest relative change of size; height and width are drawn apart.
        shift: Greatest shift in each direction, as a share of the 28 pixels.
    """

    rotation: float
    zoom: float
    shift: float

    def __call__(self, images: Tensor, draws: torch.Generator) -> Tensor:
        """(N, 1, 28, 28) pixel levels -> the same as float, bilinear, background outside."""
        matrices = self.matrices(len(images), draws).to(images.device, non_blocking=True)
        shape = list(images.shape)
        grid = F.affine_grid(matrices, shape, align_corners=False)
        return F.grid_sample(images.float(), grid, align_corners=False)

    def matrices(self, count: int, draws: torch.Generator) -> Tensor:
        """Draw (count, 2, 3) matrices from places in the result to places in the image.

        Places are (x, y, 1) with -1 and 1 at the borders, x to the right and y down.
        """
        turn, zoom_x, zoom_y, shift_x, shift_y = (
            torch.rand(5, count, generator=draws, dtype=torch.float64) * 2 - 1
        )
        angle = turn * math.radians(self.rotation)
        cos, sin = angle.cos(), angle.sin()
        width, height = 1 + self.zoom * zoom_x, 1 + self.zoom * zoom_y
        across, down = 2 * self.shift * shift_x, 2 * self.shift * shift_y
        rows = [cos * width, -sin * height, across, sin * width, cos * height, down]
        return torch.stack(rows, dim=1).view(count, 2, 3).float()
