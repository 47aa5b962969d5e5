"""What all figures share: colours, sizes, and how they are written."""

import hashlib
import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_arch.files import whole

DPI = 100
THUMBNAIL = (
    3.4,
    2.15,
)  # inches: at 100 pixels an inch, what TensorBoard shows of a picture at first

# Distinct for the colour-blind, too: Okabe and Ito 2008, then four of Paul Tol's muted colours.
COLORS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#8C6D1F"),
    *("#882255", "#44AA99", "#332288", "#999933"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">", "h")
LINES = ("-", "--", "-.", ":")


def color(number: int) -> str:
    """Return the colour of a curve by its number; with its marker, the first 132 all differ."""
    return COLORS[number % len(COLORS)]


def marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def plain(axes: Axes, title: str, across: str, up: str) -> None:
    """Label axes in full, with a faint grid and no box."""
    axes.set_title(title, fontsize=12)
    axes.set_xlabel(across, fontsize=11)
    axes.set_ylabel(up, fontsize=11)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def curves_digest(figure: Figure) -> str:
    """Return a digest of all curves of a figure, by which it is known to show the same numbers."""
    drawn = [
        [axes.get_xlabel(), line.get_label(), np.asarray(line.get_xydata()).tolist()]
        for axes in figure.axes
        for line in axes.lines
    ]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure atomically, with the digest of its curves.

    What other versions of Matplotlib draw differs in pixels, but not in that.
    """
    metadata = {"Software": None, "Description": f"curves {curves_digest(figure)}"}
    with whole(path) as unfinished:
        figure.savefig(unfinished, format="png", metadata=metadata)
