"""Figures of a data set as a whole."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from mnist_arch.reports.figures.style import COLORS, DPI, plain


def count_bars(counts: Mapping[str, Sequence[int]], title: str) -> Figure:
    """Draw the share of each digit, ten counts by split, in percent of its split."""
    figure = Figure(figsize=(7.2, 4.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(counts)
    for number, ((name, numbers), color) in enumerate(zip(counts.items(), COLORS, strict=False)):
        places = [digit + (number + 0.5) * width - 0.4 for digit in range(10)]
        shares = [100 * count / sum(numbers) for count in numbers]
        axes.bar(places, shares, width, color=color, label=f"{name}, {sum(numbers):,} images")
    axes.axhline(10, color="black", linewidth=1, linestyle="--", label="all equally frequent")
    axes.set_xticks(range(10))
    axes.set_ylim(0, 1.3 * axes.dataLim.y1)  # room for the legend
    plain(axes, title, "digit", "share of the split, percent")
    axes.legend(frameon=False, fontsize=10, ncols=2, loc="upper center")
    return figure


def ink_boxes(ink: Mapping[int, Tensor], title: str) -> Figure:
    """Draw how ink, (N,) shares of an all-black image, spreads over the images of each digit."""
    figure = Figure(figsize=(7.2, 4.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.boxplot(
        [100 * values.numpy() for values in ink.values()],
        positions=list(ink),
        whis=(1, 99),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": COLORS[6]},
        medianprops={"color": "black", "linewidth": 1.6},
    )
    axes.set_xlim(-0.6, 9.6)
    axes.set_ylim(bottom=0)
    across = "digit (box: the middle half of its images; whiskers: from 1 % to 99 % of them)"
    plain(axes, title, across, "ink, percent of an all-black image")
    return figure
