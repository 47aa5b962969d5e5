"""Pictures of digits."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from mnist_arch.evaluation.figures.style import DPI

SCALE = 2  # screen pixels for each pixel of a digit
GAP = 1  # pixels of frame around each digit
FRAME = 40  # its grey level
LABELS, TITLE = 340, 44  # screen pixels left of the digits and above them


def digit_rows(rows: Mapping[str, Tensor], title: str) -> Figure:
    """Draw rows of as many digits each, (N, 1, 28, 28) pixel levels, ink black; keys name them."""
    padded = [F.pad(images[:, 0].float(), [GAP] * 4, value=FRAME) for images in rows.values()]
    mosaic = torch.cat([torch.cat(list(images), dim=1) for images in padded])
    height, width = mosaic.shape
    across, down = LABELS + SCALE * width + GAP, TITLE + SCALE * height + GAP
    figure = Figure(figsize=(across / DPI, down / DPI), dpi=DPI)
    box = (LABELS / across, GAP / down, SCALE * width / across, SCALE * height / down)
    axes = figure.add_axes(box)
    axes.imshow(mosaic.numpy(), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    side = height / len(rows)
    axes.set_yticks([(row + 0.5) * side - 0.5 for row in range(len(rows))], list(rows))
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=10)
    axes.spines[:].set_visible(False)
    figure.text(0.5, 1 - TITLE / 2 / down, title, ha="center", va="center", fontsize=12)
    return figure
