"""Figures of one step of a network, so that it can be followed by eye: the tour's pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from mnist_arch.models.dense import Dense
from mnist_arch.models.lenet5 import LeNet5
from mnist_arch.models.lenet5_1998 import LeNet5Original
from mnist_arch.reports.figures.network import DIVERGING
from mnist_arch.reports.figures.style import COLORS, DPI

WINNER = COLORS[1]
CODE = (12, 7)  # rows and columns of a digit's code, and so of F6
SMALL, LARGE = 9, 11  # points
DARKEST = 0.5  # of the greatest weight; beyond it colours are no darker, so that most can be seen


def evidence(net: Dense, image: Tensor) -> Figure:
    """Draw how one layer scores a (1, 1, 28, 28) image: its weights, and these times the ink.

    What is in a square of the lower row adds up to the score below it, but for the bias, one
    number for each digit.
    """
    with torch.inference_mode():
        scores = net(image)[0].numpy()
        weights = net.output.weight.view(10, 28, 28).numpy()
        products = weights * net.pixels(image)[0].numpy()
    figure = Figure(figsize=(9.5, 2.3), dpi=DPI, layout="constrained")
    grid = figure.subplots(2, 11)
    _ink(grid[1, 0], image[0, 0].numpy())
    _say(grid[0, 0], "weights")
    for digit, (upper, lower) in enumerate(grid[:, 1:].T):
        wins = digit == scores.argmax()
        for axes, values in ((upper, weights), (lower, products)):
            _signed(axes, values[digit], DARKEST * float(abs(values).max()))
        upper.set_title(str(digit), **_emphasis(wins))
        lower.set_xlabel(f"{scores[digit]:+.1f}", **_emphasis(wins))
    grid[1, 0].set_xlabel("score", fontsize=LARGE)
    return figure


def convolution(net: LeNet5, image: Tensor) -> Figure:
    """Draw a (1, 1, 28, 28) image, the kernels of C1, and below each its map of the image."""
    kernels = net.c1.weight.detach()[:, 0].numpy()
    maps = net.activations(image)["c1"][0].numpy()
    figure = Figure(figsize=(9.5, 3.0), dpi=DPI, layout="constrained")
    grid = figure.subplots(2, 1 + len(kernels))
    _ink(grid[1, 0], image[0, 0].numpy())
    _say(grid[0, 0], "5 x 5 weights")
    for number, (upper, lower) in enumerate(grid[:, 1:].T):
        _signed(upper, kernels[number], float(abs(kernels).max()))
        _signed(lower, maps[number], float(abs(maps).max()))
        lower.set_xlabel(f"map {number}", fontsize=LARGE)
    grid[1, 0].set_xlabel("digit", fontsize=LARGE)
    return figure


def codes(net: LeNet5Original, images: Tensor) -> Figure:
    """Draw (N, 1, 28, 28) images, what F6 makes of each as 7 x 12 pixels, and the nearest code."""
    with torch.inference_mode():
        features = net.features(images)
        nearest = net.scores(features).argmax(1)
    drawings = features.view(-1, *CODE).numpy()
    bitmaps = net.output.codes.view(-1, *CODE)[nearest].numpy()
    figure = Figure(figsize=(9.5, 3.6), dpi=DPI, layout="constrained")
    grid = figure.subplots(3, 1 + len(images), height_ratios=(1, 1.2, 1.2), squeeze=False)
    for axes, words in zip(grid[:, 0], ("written", "units of F6", "nearest code"), strict=True):
        _say(axes, words)
    for number, (top, middle, bottom) in enumerate(grid[:, 1:].T):
        _ink(top, images[number, 0].numpy())
        for axes, values in ((middle, drawings[number]), (bottom, bitmaps[number])):
            axes.imshow(values, cmap="Greys", vmin=-1, vmax=1)
            _bare(axes)
        bottom.set_xlabel(str(int(nearest[number])), fontsize=LARGE)
    return figure


def votes(image: Tensor, probabilities: Mapping[str, Tensor]) -> Figure:
    """Draw a (1, 1, 28, 28) image, each network's ten probabilities, and their mean."""
    together = torch.stack([*probabilities.values()]).mean(0)
    rows = {**probabilities, "all together": together}
    figure = Figure(figsize=(9.5, 2.2), dpi=DPI, layout="constrained")
    digit, *panels = figure.subplots(1, 1 + len(rows))
    _ink(digit, image[0, 0].numpy())
    for axes, (name, values) in zip(panels, rows.items(), strict=True):
        bars = axes.barh(range(10), values.numpy(), color="0.7")
        bars[int(values.argmax())].set_facecolor(WINNER)
        axes.set_yticks(range(10))
        axes.set_xticks([0, 1])
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
        axes.tick_params(length=0, labelsize=SMALL)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(name, fontsize=LARGE)
    return figure


def _ink(axes: Axes, pixels: NDArray[Any]) -> None:
    axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
    _bare(axes)


def _signed(axes: Axes, values: NDArray[Any], reach: float) -> None:
    """Red above zero, blue below; what lies at ``reach`` is darkest."""
    axes.imshow(np.squeeze(values), cmap=DIVERGING, vmin=-reach, vmax=reach)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("0.85")


def _say(axes: Axes, words: str) -> None:
    """Write words in place of a picture."""
    axes.set_axis_off()
    axes.text(1, 0.5, words, ha="right", va="center", fontsize=LARGE, transform=axes.transAxes)


def _emphasis(wins: bool) -> dict[str, Any]:
    style = {"color": WINNER, "fontweight": "bold"} if wins else {}
    return {"fontsize": LARGE, **style}
