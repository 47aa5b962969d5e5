"""The runs of every network beside what its source claims."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mnist_arch.analysis.judgements import Judgement
from mnist_arch.reports.figures.style import DPI, color, plain

SPREAD = 0.6  # of a row's height, over which its runs are strewn
GOLDEN = 0.618034  # of a turn: successive points fall far from each other


def beside_claims(judgements: Sequence[Judgement], title: str) -> Figure:
    """Draw a row for each judgement: each run, the mean, where one more run would lie, the margin.

    Everything is in points less than the claim, or more; the claims are one vertical line.
    """
    figure = Figure(figsize=(8.4, 1.2 + 0.55 * len(judgements)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    names = []
    for row, each in enumerate(judgements):
        verdict, claim = each.verdict, each.claim.value
        names.append(f"{each.group.architecture} ({verdict.runs} run{'s' * (verdict.runs > 1)})")
        axes.barh(row, 2 * verdict.margin, 0.9, -verdict.margin, color="0.93", zorder=0)
        if verdict.prediction:
            ends = [end - claim for end in verdict.prediction]
            axes.plot(ends, [row, row], color="0.6", linewidth=1.2, solid_capstyle="butt")
        heights = [row + SPREAD * (number * GOLDEN % 1 - 0.5) for number in range(verdict.runs)]
        points = [value - claim for value in each.values]
        axes.plot(points, heights, ".", color=color(0), markersize=4, alpha=0.6)
        axes.plot([verdict.difference], [row], "D", color=color(1), markersize=6)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    plain(axes, title, "accuracy less what the source claims, points", "")
    axes.grid(axis="y", visible=False)
    return figure
