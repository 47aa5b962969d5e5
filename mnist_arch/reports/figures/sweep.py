"""Figures of a sweep for TensorBoard: at one glance, in what its groups of runs differ."""

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from mnist_arch.reports.figures.style import COLORS, DPI, LINES, THUMBNAIL, color

SMALL = 7.5  # points
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50)


def errors_by_epoch(curves: Mapping[str, Sequence[Sequence[float]]], title: str) -> Figure:
    """Draw errors (percent) by epoch, their mean over the runs of each name, least to greatest."""
    figure, axes = _thumbnail(title)
    for place, (name, runs) in enumerate(curves.items()):
        by_epoch = [*zip(*runs, strict=False)]
        epochs = range(1, len(by_epoch) + 1)
        axes.plot(
            epochs,
            [mean(each) for each in by_epoch],
            LINES[place // len(COLORS) % len(LINES)],
            color=color(place),
            linewidth=1.2,
            label=name,
        )
        least, greatest = [*map(min, by_epoch)], [*map(max, by_epoch)]
        axes.fill_between(epochs, least, greatest, color=color(place), alpha=0.2, linewidth=0)
    axes.set_yscale("log")
    _logarithmic(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch", fontsize=SMALL, labelpad=1)
    axes.set_ylabel("errors, percent", fontsize=SMALL, labelpad=1)
    figure.legend(loc="outside right upper", fontsize=SMALL - 1, frameon=False, handlelength=1.2)
    return figure


def errors(by_name: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Draw each run's errors (percent) as a dot beside its name, the mean as a number."""
    figure, axes = _thumbnail(title)
    names = sorted(by_name, key=lambda name: -mean(by_name[name]))
    for place, name in enumerate(names):
        values = by_name[name]
        axes.plot(values, [place] * len(values), "o", color=color(0), markersize=3, alpha=0.6)
        axes.annotate(
            f"{mean(values):.2f}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=SMALL,
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xscale("log")
    _logarithmic(axes.xaxis)
    axes.set_xlabel("errors, percent", fontsize=SMALL, labelpad=1)
    return figure


def _thumbnail(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=THUMBNAIL, dpi=2 * DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=8, pad=3)
    axes.tick_params(labelsize=SMALL, length=2, pad=2)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _logarithmic(axis: Axis) -> None:
    """Write numbers as one says them, and no others."""
    axis.set_major_locator(FixedLocator(TICKS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
