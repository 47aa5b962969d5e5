"""What accuracy costs, all networks in one picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mnist_arch.analysis.cost import Cost
from mnist_arch.reports.figures.style import DPI, color, plain

TERA = 1e12


def errors_against_training(costs: Sequence[Cost], title: str) -> Figure:
    """Draw test errors against the arithmetic of training, both on logarithmic axes.

    A network has a colour; a dot is its own recipe, a diamond the modern one, and a line joins
    the two.
    """
    figure = Figure(figsize=(8.4, 5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, name in enumerate(dict.fromkeys(cost.group.architecture for cost in costs)):
        mine = [cost for cost in costs if cost.group.architecture == name]
        points = [(cost.training / TERA, cost.errors) for cost in mine]
        axes.plot(*zip(*points, strict=True), color=color(number), linewidth=0.8, alpha=0.6)
        for cost, point in zip(mine, points, strict=True):
            own = cost.group.recipe == name
            shape, label = ("o", name) if own else ("D", None)
            axes.plot(*point, shape, color=color(number), markersize=7, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [each for each in (0.2, 0.5, 1, 2, 5, 10, 20) if _within(each, costs)]
    axes.set_yticks(ticks, [f"{each:g} %" for each in ticks], minor=False)
    axes.minorticks_off()
    across = "floating-point operations of the whole training, in units of 10¹²"
    plain(axes, title, across, "misclassified test images")
    axes.legend(frameon=False)
    return figure


def _within(tick: float, costs: Sequence[Cost]) -> bool:
    errors = [cost.errors for cost in costs]
    return min(errors) / 2 < tick < max(errors) * 2
