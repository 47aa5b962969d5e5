"""Figures, drawn without a display: the same numbers give the same bytes on the same machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

DPI = 100
SCALE = 2  # screen pixels for each pixel of a digit
GAP = 1  # pixels of frame around each digit
FRAME = 40  # its grey level
LABELS, TITLE = 340, 44  # screen pixels left of the digits and above them

# Told apart by the colour-blind too (Okabe and Ito 2008), and by their lines in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
LINES = ("-", "--", "-.", ":", "-")


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


def training_curves(curves: Mapping[str, Sequence[Sequence[float]]], title: str) -> Figure:
    """Draw errors (percent) by pass on a logarithmic axis; each key names some runs' curves."""
    figure = Figure(figsize=(7.2, 4.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for (name, runs), color, line in zip(curves.items(), COLORS, LINES, strict=False):
        for number, run in enumerate(runs):
            passes = range(1, len(run) + 1)
            label = name if number == 0 else None
            axes.plot(passes, run, line, color=color, label=label, linewidth=1.6, markersize=4)
    axes.set_yscale("log")
    ticks = [0.2, 0.5, 1, 2, 5, 10, 20, 50]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    values = [value for runs in curves.values() for run in runs for value in run if value > 0]
    axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
    axes.set_xlabel("passes over the training digits", fontsize=11)
    axes.set_ylabel("errors, percent", fontsize=11)
    axes.set_title(title, fontsize=12)
    axes.grid(color="0.9")
    axes.legend(frameon=False, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, and without naming the program that drew it."""
    unfinished = path.with_name(f"{path.name}.part")
    figure.savefig(unfinished, format="png", metadata={"Software": None})
    unfinished.replace(path)
