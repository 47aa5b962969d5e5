"""Figures of one trained network: what it confuses, what it has learned, what its layers do."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from mnist_arch.models.network import Network
from mnist_arch.reports.figures.style import COLORS, DPI, THUMBNAIL

ACROSS, DOWN = 10, 4  # misclassified images in a row, and rows of them
MAPS = 16  # of one layer that are drawn, at most
UNITS = 40  # whose weights are drawn, at most
COPIES, NOISE = 24, 40.0  # of an image for its saliency; their standard deviation, of 255
DIVERGING = "RdBu_r"  # red above zero, blue below, white at it


def confusion(counts: Sequence[Sequence[int]], title: str) -> Figure:
    """Draw images by truth (ten rows) and prediction (ten columns); only errors have a colour."""
    figure = Figure(figsize=THUMBNAIL, dpi=2 * DPI, layout="constrained")
    axes = figure.add_subplot()
    errors = torch.tensor(counts).float()
    errors.fill_diagonal_(0)
    cells = errors.masked_fill(errors == 0, torch.nan)
    most = max(2.0, float(errors.max()))
    axes.imshow(cells.numpy(), cmap="YlOrRd", norm=LogNorm(1, most), aspect="auto")
    for truth in range(10):
        for predicted in range(10):
            count = int(counts[truth][predicted])
            dark = errors[truth, predicted] > most**0.7
            color = "0.35" if truth == predicted else "white" if dark else "black"
            text = str(count) if count else ""
            axes.text(predicted, truth, text, color=color, ha="center", va="center", fontsize=7.5)
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.tick_params(length=0, pad=2, labelsize=8)
    axes.set_xlabel("predicted", fontsize=8, labelpad=1)
    axes.set_ylabel("true", fontsize=8, labelpad=1)
    axes.set_title(title, fontsize=8, pad=3)
    return figure


def misclassified(images: Tensor, labels: Tensor, probabilities: Tensor, title: str) -> Figure:
    """Draw the misclassified of (N, 1, 28, 28) images, the most confident first.

    Above each stand its label and the prediction, with its probability in percent;
    ``probabilities`` are (N, 10).
    """
    confidence, predicted = probabilities.max(1)
    wrong = (predicted != labels).nonzero()[:, 0]
    wrong = wrong[confidence[wrong].argsort(descending=True, stable=True)]
    down = min(DOWN, max(1, -(-len(wrong) // ACROSS)))
    height = 0.4 + 1.2 * down
    figure = Figure(figsize=(9.0, height), dpi=DPI)
    for place, index in enumerate(wrong[: ACROSS * DOWN].tolist()):
        axes = figure.add_subplot(down, ACROSS, place + 1)
        axes.imshow(images[index, 0].numpy(), cmap="gray_r", vmin=0, vmax=255)
        percent = 100 * confidence[index]
        axes.set_title(f"{labels[index]} as {predicted[index]}\n{percent:.0f} %", fontsize=9)
        axes.set_axis_off()
    part = f"the {ACROSS * DOWN} most confident of" if len(wrong) > ACROSS * DOWN else "all"
    figure.suptitle(f"{title}: {part} {len(wrong):,}", fontsize=12)
    top = 1 - 0.83 / height
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=top, hspace=0.55)
    return figure


def filters(net: Network, title: str) -> Figure:
    """Draw the weights of the first layer's first units, as squares where they can be."""
    name, weights = next(
        (name, weights.detach()) for name, weights in net.named_parameters() if weights.dim() > 1
    )
    kernels = weights[:, 0] if weights.dim() == 4 else weights.flatten(1)
    if kernels.dim() == 2:
        side = math.isqrt(kernels.shape[1])
        kernels = kernels.view(len(kernels), side if side**2 == kernels.shape[1] else 1, -1)
    drawn = kernels[:UNITS].float().numpy(force=True)
    reach = float(abs(drawn).max())
    across = min(ACROSS, len(drawn))
    down = -(-len(drawn) // across)
    figure = Figure(figsize=(9.0, 0.9 * down + 1.0), dpi=DPI, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if place < len(drawn):
            axes.imshow(drawn[place], cmap=DIVERGING, vmin=-reach, vmax=reach)
            axes.set_title(str(place), fontsize=9, pad=2)
    part = f"the first {UNITS} of {len(kernels)}" if len(kernels) > UNITS else f"all {len(drawn)}"
    figure.suptitle(f"{title}: weights of {name.partition('.')[0]}, {part} units", fontsize=12)
    image = grid[0, 0].images[0]
    figure.colorbar(image, ax=grid, shrink=0.8, pad=0.02).set_label("weight", fontsize=10)
    return figure


def layers(net: Network, image: Tensor) -> dict[str, Tensor]:
    """Return the activations of one (1, 1, 28, 28) image, without the dimension of images."""
    return {name: values[0] for name, values in net.activations(image).items()}


def saliency(net: Network, image: Tensor) -> tuple[int, Tensor]:
    """(1, 1, 28, 28) raw pixels -> the digit, and (28, 28) how much its score hangs on each pixel.

    That is the gradient's absolute value (Simonyan et al. 2013, section 3), the mean over copies
    of the image with noise, without which it flickers from pixel to pixel (Smilkov et al. 2017).
    The network is left as it was.
    """
    noise = torch.randn(COPIES, *image.shape[1:], generator=torch.Generator().manual_seed(0))
    copies = (image.float() + NOISE * noise).requires_grad_()
    training = net.training
    try:
        with torch.no_grad():
            digit = int(net.eval()(image).argmax())
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(net(copies)[:, digit].sum(), copies)
    finally:
        net.train(training)
    return digit, gradient.abs().mean(0)[0]


def feature_maps(net: Network, image: Tensor, title: str) -> Figure:
    """Draw a (1, 1, 28, 28) image on its way through the layers, each map by its own range."""
    by_layer = layers(net, image)
    figure = Figure(figsize=(10.5, 0.75 * len(by_layer) + 0.7), dpi=DPI)
    grid = figure.subplots(len(by_layer), MAPS, squeeze=False)
    for row, (name, values) in zip(grid, by_layer.items(), strict=True):
        for axes in row:
            axes.set_axis_off()
        maps = values.numel() > len(values)
        label = f"{name}\n{' x '.join(map(str, values.shape))}"
        label += f"\nfirst {MAPS}" if maps and len(values) > MAPS else ""
        row[0].annotate(
            label, (-0.15, 0.5), xycoords="axes fraction", ha="right", va="center", fontsize=9
        )
        if maps:
            for axes, values_of_one in zip(row, values.float().numpy(force=True), strict=False):
                axes.imshow(values_of_one, cmap="gray_r")
        else:  # units: one strip over the whole row
            strip = row[0].get_gridspec()[list(grid[:, 0]).index(row[0]), :]
            axes = figure.add_subplot(strip)
            axes.imshow(
                values.float().numpy(force=True).reshape(1, -1), cmap="gray_r", aspect="auto"
            )
            axes.set_yticks([])
            axes.set_xticks(range(10) if values.numel() == 10 else [])
            axes.tick_params(length=0, labelsize=9, pad=1)
    figure.suptitle(title, fontsize=12)
    figure.subplots_adjust(
        left=0.13, right=0.99, bottom=0.04, top=1 - 0.45 / figure.get_figheight()
    )
    return figure


def journey(net: Network, image: Tensor) -> Figure:
    """Draw a (1, 1, 28, 28) image on its way through a network, one column for each layer.

    Maps stand in a grid, at most MAPS of a layer, units in a block; the last column has the ten
    probabilities.
    """
    columns = {name: _tile(values) for name, values in layers(net, image).items()}
    scores = columns.popitem()[0]
    probabilities = net.probabilities(image)[0].numpy(force=True)
    widths = [max(0.55, tile.shape[1] / tile.shape[0]) for tile, _ in columns.values()]
    figure = Figure(figsize=(12, 2.5), dpi=DPI, layout="constrained")
    row = figure.subplots(1, len(widths) + 1, width_ratios=[*widths, 0.9])
    for axes, (name, (tile, shape)) in zip(row, columns.items(), strict=False):
        reach, signed = float(np.nanmax(abs(tile))) or 1.0, bool((tile < 0).any())
        axes.imshow(tile, cmap=DIVERGING if signed else "Greys", vmin=-reach * signed, vmax=reach)
        axes.set_title(name.upper(), fontsize=11, fontweight="bold")
        axes.set_xlabel(shape, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    bars = row[-1]
    bars.barh(range(10), probabilities, color="0.7")
    winner = int(probabilities.argmax())
    bars.patches[winner].set_facecolor(COLORS[1])
    bars.set_yticks(range(10))
    bars.invert_yaxis()
    bars.set_xlim(0, 1)
    bars.set_xticks([0, 1])
    bars.tick_params(length=0, labelsize=9)
    bars.spines[["top", "right"]].set_visible(False)
    bars.set_title(scores.upper(), fontsize=11, fontweight="bold")
    bars.set_xlabel("probability", fontsize=9)
    return figure


def _tile(values: Tensor) -> tuple[NDArray[Any], str]:
    """Lay a layer's maps or units out as one picture; return it, and their shape in words."""
    pixels = values.float().numpy(force=True)
    if pixels.ndim == 3 and pixels[0].size > 1:
        count, height, width = pixels.shape
        shape, chosen = f"{count} x {height} x {width}", pixels[:MAPS]
        across = max(1, math.floor(len(chosen) ** 0.5))
        gap = max(1, width // 8)
        rows = -(-len(chosen) // across)
        tile = np.full((rows * (height + gap) - gap, across * (width + gap) - gap), np.nan)
        for place, one in enumerate(chosen):
            top, left = place // across * (height + gap), place % across * (width + gap)
            tile[top : top + height, left : left + width] = one
        return tile, shape if len(chosen) == count else f"{shape},\nfirst {MAPS}"
    units = pixels.ravel()
    across = next(n for n in range(math.isqrt(units.size), 0, -1) if units.size % n == 0)
    return units.reshape(-1, across), f"{units.size} units"
