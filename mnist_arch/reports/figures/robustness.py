"""Figures of robustness."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mnist_arch.analysis.corruptions import Corruption
from mnist_arch.analysis.robustness import Averaged
from mnist_arch.reports.figures.style import DPI, color, marker, plain

TRAINED = {  # a column of panels each, where a network was trained so
    "trained without augmentation": lambda net: not net.augmentation,
    "with augmentation, else the same": lambda net: net.augmentation and net.recipe != "modern",
    "modern recipe, augmented": lambda net: net.augmentation and net.recipe == "modern",
}


def corruption_panels(
    tested: Sequence[Averaged], corruptions: Mapping[str, Corruption], title: str
) -> Figure:
    """Draw accuracy (percent) against strength: a row of panels for each corruption.

    Colour and marker tell the networks, the column how they were trained.
    """
    columns = {name: own for name, own in TRAINED.items() if any(map(own, tested))}
    figure = Figure(figsize=(9, 1.2 + 1.45 * len(corruptions)), dpi=DPI, layout="constrained")
    panels = figure.subplots(
        len(corruptions), len(columns), sharex="row", sharey=True, squeeze=False
    )
    names = list(dict.fromkeys(each.architecture for each in tested))
    for row, (name, corruption) in zip(panels, corruptions.items(), strict=True):
        for axes, belongs in zip(row, columns.values(), strict=True):
            for each in filter(belongs, tested):
                place = names.index(each.architecture)
                axes.add_line(_line(each.architecture, place, each.accuracies.get(name, {})))
            axes.autoscale_view()
            axes.set_ylim(0, 103)
            axes.set_yticks([0, 50, 100])
            axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 3, 5, 10]))
            plain(axes, "", corruption.title, "")
    for axes, column in zip(panels[0], columns, strict=True):
        axes.set_title(column, fontsize=11)
    figure.supylabel("test accuracy, percent", fontsize=11)
    figure.suptitle(title, fontsize=12)
    figure.legend(
        handles=[_line(name, place, {}) for place, name in enumerate(names)],
        loc="outside lower center",
        ncols=4,
        fontsize=10,
        handlelength=3.5,
        frameon=False,
    )
    return figure


def _line(label: str, place: int, points: Mapping[float, float]) -> Line2D:
    return Line2D(
        [*points],
        [*points.values()],
        label=label,
        color=color(place),
        marker=marker(place),
        linewidth=1.4,
        markersize=4,
    )
