"""Figures of several networks side by side, narrow enough for a phone."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_arch.reports.figures.style import DPI, color, marker, plain
from mnist_arch.runs.calibration import Bin

WIDTH = 4.6  # inches
FEWEST = 10  # images in a bin that is drawn


def accuracies(
    runs: Mapping[str, Sequence[tuple[float, float, float]]],
    means: Mapping[str, tuple[float, float, float]],
) -> Figure:
    """Draw accuracies with their intervals, all (value, low, high) in percent, by network.

    ``runs`` has each run's, over images; ``means`` the mean's, over seeds, of several runs.
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.5 * len(runs)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for row, (name, values) in enumerate(runs.items()):
        for number, (value, low, high) in enumerate(values):
            place = row + 0.22 + 0.4 * (number - (len(values) - 1) / 2) / max(len(values), 4)
            place = row if name not in means else place
            bar = [[value - low], [high - value]]
            width, alpha = (1.2, 0.55) if name in means else (2.2, 1)
            dot = "." if name in means else "o"
            axes.errorbar(
                value, place, xerr=bar, fmt=dot, color=color(row), elinewidth=width, alpha=alpha
            )
        if name in means:
            value, low, high = means[name]
            bar = [[value - low], [high - value]]
            axes.errorbar(
                value, row - 0.25, xerr=bar, fmt="D", color=color(row), elinewidth=3, markersize=5
            )
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    plain(axes, "", "test accuracy, percent", "")
    axes.tick_params(labelsize=10)
    return figure


def errors_by_digit(errors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the misclassified images of each digit, mean over runs, of at most eight networks."""
    figure = Figure(figsize=(WIDTH, 3.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, counts) in enumerate(errors.items()):
        shift = 0.7 * ((number + 0.5) / len(errors) - 0.5)
        places = [digit + shift for digit in range(10)]
        axes.vlines(places, 0, counts, color=color(number), linewidth=1.5)
        axes.plot(places, counts, marker(number), color=color(number), markersize=5, label=name)
    axes.set_xticks(range(10))
    axes.set_ylim(bottom=0)
    plain(axes, "", "true digit", "misclassified images")
    axes.grid(visible=False, axis="x")
    axes.tick_params(labelsize=10)
    axes.legend(frameon=False, fontsize=10, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def reliability_curves(bins: Mapping[str, Sequence[Bin]]) -> Figure:
    """Draw how often networks are right at each confidence, one panel each; the diagonal is ideal.

    A point is a bin of ten images or more, its area grows with them.
    """
    rows = -(-len(bins) // 2)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.1 * rows), dpi=DPI, layout="constrained")
    panels = list(figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flat)
    for number, ((name, some), axes) in enumerate(zip(bins.items(), panels, strict=False)):
        _panel(axes, name, some, color(number))
    for axes in panels[len(bins) :]:
        axes.set_axis_off()
    figure.supxlabel("predicted probability", fontsize=11)
    figure.supylabel("share that is correct", fontsize=11)
    return figure


def _panel(axes: Axes, name: str, bins: Sequence[Bin], color: str) -> None:
    drawn = [each for each in bins if each.images >= FEWEST]
    total = sum(each.images for each in bins)
    across, up = [each.confidence for each in drawn], [each.accuracy for each in drawn]
    axes.plot([0, 1], [0, 1], "--", color="0.5", linewidth=1)
    axes.plot(across, up, color=color, linewidth=1.4)
    axes.scatter(across, up, [15 + 120 * each.images / total for each in drawn], color=color)
    plain(axes, name, "", "")
    axes.set_aspect("equal")
    axes.set_xlim(-0.05, 1.08)
    axes.set_ylim(-0.05, 1.08)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=10)
