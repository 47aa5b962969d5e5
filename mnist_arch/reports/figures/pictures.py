"""Pictures beside what a network sees of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnist_arch.reports.figures.style import DPI

ACROSS = 4  # pictures in a row
WIDTH, HEIGHT = 230, 160  # screen pixels of one


def sheet(panels: Sequence[tuple[NDArray[Any], NDArray[np.uint8], str]]) -> Figure:
    """Draw (H, W) pixel values beside the (28, 28) made of them; captions have up to two lines."""
    rows = -(-len(panels) // ACROSS)
    size = (ACROSS * WIDTH / DPI, rows * HEIGHT / DPI)
    figure = Figure(figsize=size, dpi=DPI)
    for number, (picture, image, caption) in enumerate(panels):
        row, column = divmod(number, ACROSS)
        left, top = column / ACROSS, 1 - row / rows
        figure.text(
            left + 0.5 / ACROSS, top - 0.04 / rows, caption, ha="center", va="top", fontsize=9
        )
        for place, pixels, limits in ((0.03, picture, None), (0.52, image, (0, 255))):
            box = (left + place / ACROSS, top - 0.97 / rows, 0.45 / ACROSS, 0.7 / rows)
            axes = figure.add_axes(box)
            low, high = limits or (0, 65535 if pixels.dtype == np.uint16 else 255)
            axes.imshow(pixels, cmap="gray", vmin=low, vmax=high)
            axes.set_xticks([])
            axes.set_yticks([])
    return figure
