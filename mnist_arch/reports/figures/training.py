"""Figures of training."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnist_arch.reports.figures.style import DPI, LINES, color, plain


def training_curves(curves: Mapping[str, Sequence[Sequence[float]]], title: str) -> Figure:
    """Draw errors (percent) by epoch on a logarithmic axis; each key names some runs' curves.

    Where there are many the lines are thin, and behind those of the few.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for place, (name, runs) in enumerate(curves.items()):
        line = LINES[place % len(LINES)]
        for number, run in enumerate(runs):
            label = name if number == 0 else None
            axes.plot(
                range(1, len(run) + 1),
                run,
                line,
                color=color(place),
                label=label,
                linewidth=1.6 if len(runs) <= 5 else 0.6,
                markersize=4,
                zorder=2 + 1 / len(runs),
            )
    axes.set_yscale("log")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    values = [value for runs in curves.values() for run in runs for value in run if value > 0]
    axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
    plain(axes, title, "epoch", "errors, percent")
    for sample in axes.legend(frameon=False, fontsize=10).get_lines():
        sample.set_linewidth(1.6)
    return figure
