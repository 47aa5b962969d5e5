import csv
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, UndefinedError
from markupsafe import Markup

from mnist_arch.reports import templates
from mnist_arch.reports.table import EMPTY, Column, Table

NETWORKS = Table(
    (
        Column("network", "`{}`"),
        Column("test errors", "{:,}"),
        Column("95 % interval", "{:.2f} to {:.2f}", key=("low", "high")),
    ),
    [("mlp", 1234, (97.5, 98.25)), ("lenet5", 7, None)],
)


class Cells(HTMLParser):
    """The text of each cell of an HTML table, and every tag in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data != "\n":
            self.rows[-1][-1] += data


def test_markdown_is_githubs_with_numbers_to_the_right() -> None:
    assert NETWORKS.markdown().splitlines() == [
        "| network | test errors | 95 % interval |",
        "| ------- | ----------: | ------------: |",
        "| `mlp` | 1,234 | 97.50 to 98.25 |",
        "| `lenet5` | 7 |  |",
    ]


def test_text_has_words_left_and_numbers_right_and_no_backticks() -> None:
    assert NETWORKS.text().splitlines() == [
        "network  test errors   95 % interval",
        "mlp            1,234  97.50 to 98.25",
        "lenet5             7",
    ]


def test_a_long_cell_goes_on_in_the_next_line_of_its_column() -> None:
    table = Table((Column("n"), Column("words")), [(1, "one two three"), (22, None)])
    assert table.text(widest=8).splitlines() == [
        " n  words",
        " 1  one two",
        "    three",
        "22",
    ]


def test_csv_has_raw_values_below_keys_and_a_tuples_apart() -> None:
    assert [*csv.reader(StringIO(NETWORKS.csv()))] == [
        ["network", "test_errors", "low", "high"],
        ["mlp", "1234", "97.5", "98.25"],
        ["lenet5", "7", "", ""],
    ]


def test_html_has_the_same_cells_and_code() -> None:
    cells = Cells(NETWORKS.html())
    assert cells.rows == [
        ["network", "test errors", "95 % interval"],
        ["mlp", "1,234", "97.50 to 98.25"],
        ["lenet5", "7", ""],
    ]
    assert cells.tags == {"table", "tr", "th", "td", "code"}


def test_a_table_without_rows_says_so_but_its_csv_keeps_the_header() -> None:
    empty = Table(NETWORKS.columns, [])
    assert empty.markdown() == empty.text() == EMPTY
    assert EMPTY in empty.html()
    assert empty.csv() == "network,test_errors,low,high\n"


def test_a_format_may_be_a_function_and_none_is_never_formatted() -> None:
    table = Table(
        (Column("doubtful", lambda value: "yes" if value else "no"),), [(None,), (True,)]
    )
    assert table.text().splitlines() == ["doubtful", "", "yes"]


def test_a_row_of_another_length_than_the_columns_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 values"):
        Table((Column("a"), Column("b")), [(1,)])


@given(st.text())
def test_no_text_breaks_out_of_its_cell(text: str) -> None:
    table = Table((Column("name"), Column("n")), [(text, 1)])
    printed = " ".join(text.split())
    cells = Cells(table.html())
    assert cells.tags <= {"table", "tr", "th", "td", "code"}
    assert cells.rows[1][-1] == "1"
    lines = table.markdown().splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 3
    if "`" not in printed:
        assert "<" not in lines[2]
        assert cells.rows[1][0] == printed
    if "\r" not in text:  # which Python's writer leaves unquoted
        assert [*csv.reader(StringIO(table.csv(), newline=""))][1] == [text, "1"]


def test_html_templates_escape_values_but_not_tables() -> None:
    pages = {"page.html.j2": "{{ name }}{{ table }}", "page.md.j2": "{{ name }}{{ table }}"}
    environment = templates.ENVIRONMENT.overlay(loader=DictLoader(pages))
    html, markdown = (
        environment.get_template(page).render(name="<b>", table=Markup("<table>"))
        for page in pages
    )
    assert html == "&lt;b&gt;<table>"
    assert markdown == "<b><table>"


def test_a_template_whose_value_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        templates.ENVIRONMENT.from_string("{{ errors }}").render()


def test_templates_write_numbers_as_python_does() -> None:
    template = templates.ENVIRONMENT.from_string('{{ images | number(",") }}')
    assert template.render(images=60000) == "60,000"
