"""Figures inside a page: SVG whose black and grey follow the page's colours."""

import re
from io import StringIO

from matplotlib import rc_context
from matplotlib.figure import Figure

GRID = "#e6e6e6"  # the grey "0.9" of style.plain


def inline_svg(figure: Figure) -> str:
    """Draw a figure as an svg element for a page that has the CSS variable --line.

    Its words stay words, in the page's colour; the same figure gives the same text.
    """
    drawn = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mnist_arch"}):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    _, _, svg = drawn.getvalue().partition("<svg")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace("#000000", "currentColor").replace(GRID, "var(--line)")
    return f"<svg{svg}"
