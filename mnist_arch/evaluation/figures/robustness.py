"""Pictures of robustness."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

import mnist_arch
from mnist_arch.evaluation.corruptions import Corruption
from mnist_arch.evaluation.figures.style import COLORS, DPI, MARKERS, plain
from mnist_arch.evaluation.robustness import Averaged

COLUMNS = 3


def corruption_panels(
    tested: Sequence[Averaged], corruptions: Mapping[str, Corruption], title: str
) -> Figure:
    """Draw accuracy (percent) against strength: a panel for each corruption, a line for each net.

    A network has one colour and marker; it is dashed where it was trained on distorted digits.
    """
    tested = [each for each in tested if corruptions.keys() & each.accuracies.keys()]
    rows = -(-len(corruptions) // COLUMNS)
    figure = Figure(figsize=(9, 1 + 2.4 * rows), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).flatten()
    for axes, (name, corruption) in zip(panels, corruptions.items(), strict=False):
        for each in tested:
            axes.add_line(_line(each, each.accuracies.get(name, {})))
        axes.autoscale_view()
        axes.set_ylim(0, 101)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 3, 5, 10]))
        plain(axes, "", corruption.title, "")
    figure.supylabel("test accuracy, percent", fontsize=11)
    figure.suptitle(title, fontsize=12)
    spare = panels[len(corruptions) :]
    for axes in spare:
        axes.remove()
    figure.legend(
        handles=[_line(each, {}) for each in tested],
        loc="lower right" if len(spare) else "outside lower center",
        ncols=len(spare) or COLUMNS,
        fontsize=10,
        handlelength=3.5,
        frameon=False,
    )
    return figure


def _line(each: Averaged, points: Mapping[float, float]) -> Line2D:
    place = mnist_arch.architectures().index(each.architecture)
    return Line2D(
        [*points],
        [*points.values()],
        label=each.title,
        color=COLORS[place],
        marker=MARKERS[place],
        linestyle="--" if each.augmented else "-",
        linewidth=1.4,
        markersize=4,
    )
