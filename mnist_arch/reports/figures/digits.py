"""Figures of digits."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from mnist_arch.reports.figures.style import DPI

SCALE = 2  # screen pixels for each pixel of a digit
GAP = 1  # pixels of frame around each digit
FRAME = 40  # its pixel value
TITLE, COLUMNS = 44, 20  # screen pixels above the digits, and more where columns are named
LETTER, TITLE_LETTER = 7, 9  # screen pixels of a letter of the names and of the title


def digit_rows(
    rows: Mapping[str, Tensor], title: str, columns: Sequence[str] | None = None
) -> Figure:
    """Draw rows of as many digits each, (N, 1, 28, 28) pixel values, ink black; keys name them."""
    padded = [F.pad(images[:, 0].float(), [GAP] * 4, value=FRAME) for images in rows.values()]
    mosaic = torch.cat([torch.cat(list(images), dim=1) for images in padded])
    height, width = mosaic.shape
    # The names of the rows stand left of them; the title needs the whole width.
    names = max(LETTER * (2 + max(map(len, rows))), TITLE_LETTER * len(title) - SCALE * width)
    top = TITLE + (COLUMNS if columns else 0)
    across, down = names + SCALE * width + GAP, top + SCALE * height + GAP
    figure = Figure(figsize=(across / DPI, down / DPI), dpi=DPI)
    box = (names / across, GAP / down, SCALE * width / across, SCALE * height / down)
    axes = figure.add_axes(box)
    axes.imshow(mosaic.numpy(), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    side = height / len(rows)
    axes.set_yticks([(row + 0.5) * side - 0.5 for row in range(len(rows))], list(rows))
    axes.set_xticks([(column + 0.5) * side - 0.5 for column in range(len(columns or ()))])
    axes.set_xticklabels(columns or ())
    axes.tick_params(length=0, labelsize=10, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    figure.text(0.5, 1 - TITLE / 2 / down, title, ha="center", va="center", fontsize=12)
    return figure
