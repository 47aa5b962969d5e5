"""One table, four forms: Markdown, plain text, HTML and CSV."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from markupsafe import Markup, escape

EMPTY = "None yet."


@dataclass(frozen=True)
class Column:
    """What stands above a column, and how its values are written.

    Attributes:
        title: Its heading.
        format: A format string, over whose fields a tuple is spread ("{:.2f} to {:.2f}"), or a
            function of the value. None is an empty cell and is never formatted.
        key: Its name in CSV, by default made from the title; several for values that are tuples.
    """

    title: str
    format: str | Callable[[Any], str] = "{}"
    key: str | tuple[str, ...] = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its values in CSV."""
        if isinstance(self.key, tuple):
            return self.key
        return (self.key or re.sub(r"\W+", "_", self.title.lower()).strip("_"),)

    def cell(self, value: Any) -> str:
        """Write a value as one line; words between backticks are code."""
        if value is None:
            return ""
        text = self.format(value) if callable(self.format) else self.format.format(*_spread(value))
        return " ".join(text.split())


@dataclass(frozen=True)
class Table:
    """Rows of raw values below columns; columns without a word in them are aligned right."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        """Refuse rows of another length."""
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows that do not have {len(self.columns)} values")

    def markdown(self) -> str:
        """Write it as GitHub's Markdown; pipes are escaped, and < outside of code."""
        if not self.rows:
            return EMPTY
        titles = [column.title for column in self.columns]
        rules = [
            "-".ljust(len(title) - 1, "-") + ("-" if words else ":")
            for title, words in zip(titles, self._words(), strict=True)
        ]
        lines = [
            [*map(_escaped, titles)],
            rules,
            *([*map(_escaped, row)] for row in self._cells()),
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def text(self, widest: int = 30) -> str:
        """Write it for a screen: cells of more than ``widest`` characters are wrapped."""
        if not self.rows:
            return EMPTY
        rows = [[column.title for column in self.columns], *self._cells()]
        lines = [
            line
            for row in rows
            for line in zip_longest(*(_wrapped(cell, widest) for cell in row), fillvalue="")
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [str.ljust if words else str.rjust for words in self._words()]
        return "\n".join(
            "  ".join(
                align(cell, width)
                for align, cell, width in zip(aligned, line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def html(self) -> Markup:
        """Write it as an HTML table; cells that hold words have the class ``words``."""
        if not self.rows:
            return Markup("<p>{}</p>").format(EMPTY)
        titles = [column.title for column in self.columns]
        lines = ["<table>"]
        for tag, row in [("th", titles), *(("td", cells) for cells in self._cells())]:
            opened = (f'<{tag} class="words">' if each else f"<{tag}>" for each in self._words())
            cells = zip(opened, map(_code, row), strict=True)
            lines.append(f"<tr>{''.join(f'{start}{cell}</{tag}>' for start, cell in cells)}</tr>")
        return Markup("\n".join([*lines, "</table>"]))

    def csv(self) -> str:
        """Write the raw values, separated by commas, below the columns' keys."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(key for column in self.columns for key in column.keys)
        for row in self.rows:
            pairs = [(column.keys, value) for column, value in zip(self.columns, row, strict=True)]
            fields = [(v or [None] * len(keys)) if len(keys) > 1 else [v] for keys, v in pairs]
            writer.writerow(field for some in fields for field in some)
        return text.getvalue()

    def _cells(self) -> list[list[str]]:
        return [
            [column.cell(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    def _words(self) -> list[bool]:
        """Tell for each column whether it holds words."""
        return [
            any(isinstance(each, (str, bool)) for value in column for each in _spread(value))
            for column in zip(*self.rows, strict=True)
        ]


def _spread(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _escaped(cell: str) -> str:
    cell = re.sub(r"(`[^`]*`)|<", lambda match: match[1] or "&lt;", cell)
    return cell.replace("|", "\\|")


def _wrapped(cell: str, widest: int) -> list[str]:
    return wrap(cell.replace("`", ""), widest, break_on_hyphens=False) or [""]


def _code(cell: str) -> str:
    """Escape a cell, and mark what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(cell)))
