"""A comparison as one page of HTML, whole in itself: no script, nothing fetched."""

from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from torch import Tensor

from mnist_arch.analysis.comparison import Comparison, Pair
from mnist_arch.analysis.statistics import Array
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.reports import comparison_tables as tables
from mnist_arch.reports.figures import comparison as figures
from mnist_arch.reports.figures.inline import inline_svg
from mnist_arch.reports.results import Table
from mnist_arch.runs.records import Record

LONG = 24  # characters of a cell, beyond which it may be broken into lines

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b1f24; --faint: #5c646e; --line: #e1e4e8;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16191d; --ink: #e4e7eb; --faint: #a0a8b2; --line: #363c44; }
}
body {
  margin: 0 auto; max-width: 62rem; padding: 1rem 1rem 4rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.4rem; line-height: 1.25; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.summary { font-size: 1.1rem; overflow-wrap: anywhere; }
.notes, .faint, figcaption { color: var(--faint); font-size: .9rem; }
.notes { padding-left: 1.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th, td { white-space: nowrap; }
th { color: var(--faint); font-weight: 600; }
.numbers :is(th, td):not(:first-child) { text-align: right; }
td.words { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; align-items: flex-start; }
figure { margin: 0; flex: 1 1 20rem; max-width: 28.75rem; }
figure svg { width: 100%; height: auto; fill: currentColor; }
.digits { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: .5rem 0; }
.digits li { list-style: none; width: 5.4rem; font-size: .9rem; line-height: 1.3; }
.digits img { width: 100%; height: auto; image-rendering: pixelated; }
details > summary { cursor: pointer; }
"""


def test_images(record: Record) -> tuple[Tensor | None, str]:
    """Return the (N, 1, 28, 28) test images that a run read, or None and why not.

    They are looked for on this machine only.
    """
    root = record.config.get("data.root") if record.config else None
    try:
        data = sources.load(record.data, Path(root or sources.default_root()), fetch=False)
    except UserError as error:
        return None, str(error)
    if data.sha256 != record.data_sha256:
        return None, f"{record.data} on this machine is not what the runs read"
    return data.test.images, ""


def html(comparison: Comparison, images: Tensor | None, why: str = "") -> str:
    """Lay a comparison out as a page; ``images`` are the test split's, ``why`` says why not."""
    title = escape(tables.title(comparison))
    body = [
        f"<h1>{title}</h1>",
        f'<p class="summary">{escape(tables.summary(comparison))}</p>',
        *("<h2>The nets</h2>", _table(tables.nets(comparison))),
        *("<h2>Pair by pair</h2>", _table(tables.pairs(comparison))),
        '<ul class="notes">',
        *(f"<li>{escape(note)}</li>" for note in tables.notes(comparison)),
        "</ul>",
        "<h2>Accuracy, errors, calibration</h2>",
        *('<div class="figures">', *_figures(comparison), "</div>"),
        *("<h2>Errors at each digit</h2>", _table(tables.by_digit(comparison), "numbers")),
        *_misread(comparison, images, why),
        *("<h2>The runs</h2>", _table(tables.runs(comparison), "numbers")),
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            *body,
            "</body>\n</html>\n",
        ]
    )


def _table(table: Table, kind: str = "words") -> str:
    header, rows = table
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>"]
    for row in rows:
        cells = (
            f"<td{' class=words' if len(cell) > LONG else ''}>{escape(cell)}</td>" for cell in row
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table class="{kind}">\n' + "\n".join(lines) + "\n</table></div>"


def _figures(comparison: Comparison) -> list[str]:
    nets = comparison.nets
    several = [net for net in nets if net.runs[1:]]
    drawn = [
        _figure(
            figures.accuracies(
                {
                    net.letter: [(run.accuracy, *run.over_digits) for run in net.runs]
                    for net in nets
                },
                {net.letter: (net.accuracy, *net.interval) for net in several},
            ),
            "Test accuracy. Points: runs, with Wilson's 95 % interval over other digits."
            + (" Diamonds: their mean, with Student's over other seeds." if several else ""),
        ),
        _figure(
            figures.errors_by_digit({net.letter: net.errors_by_digit for net in nets[:8]}),
            "Test images of each digit misread, mean over runs."
            + (" The first eight nets." if nets[8:] else ""),
        ),
    ]
    if calibrated := {net.letter: net.bins for net in nets if net.with_predictions}:
        drawn.append(
            _figure(
                figures.reliability_curves(calibrated),
                f"Reliability: of the images read with such a probability, how many were read "
                f"right. Under the dashed line a net is too sure, above it not sure enough. Bins "
                f"of {figures.FEWEST} images or more, of all runs; larger points, more images.",
            )
        )
    return drawn


def _figure(figure: Figure, caption: str) -> str:
    return f"<figure>\n{inline_svg(figure)}<figcaption>{escape(caption)}</figcaption></figure>"


def _misread(comparison: Comparison, images: Tensor | None, why: str) -> list[str]:
    """Show digits that only one net of a pair misreads; the first pair's unfolded."""
    shown = [pair for pair in comparison.pairs if pair.only_first is not None]
    if not shown:
        return []
    lines = ["<h2>Digits that only one misreads</h2>"]
    if images is None:
        lines.append(f'<p class="faint">No pictures: {escape(why)}</p>')
    for number, pair in enumerate(shown):
        lines.append(f"<details{' open' if number == 0 else ''}>")
        lines.append(f"<summary>{escape(tables.named(pair))}</summary>")
        for said, places in zip(tables.alone(comparison, pair), pair.alone, strict=True):
            lines.append(f'<p class="faint">{escape(said)}</p>')
            if images is not None:
                lines += _digits(pair, places[: tables.SHOWN], images)
        lines.append("</details>")
    return lines


def _digits(pair: Pair, places: Array, images: Tensor) -> list[str]:
    """Show test images, and what each net of a pair reads in them."""
    items = [
        f'<li><img src="data:image/png;base64,{_png(images[place, 0])}" alt="" width="28" '
        f'height="28">{pair.first.letter} {pair.first.reading(place)}, {pair.second.letter} '
        f'{pair.second.reading(place)}<br><span class="faint">no. {place:,}</span></li>'
        for place in places
    ]
    return ['<ul class="digits">', *items, "</ul>"]


def _png(image: Tensor) -> str:
    """Encode (28, 28) pixel levels, ink black, for a link that holds its own data."""
    drawn = BytesIO()
    inked = 255 - np.repeat(image.numpy()[:, :, None], 3, axis=2)
    imsave(drawn, inked, format="png", metadata={"Software": ""})
    return b64encode(drawn.getvalue()).decode()
