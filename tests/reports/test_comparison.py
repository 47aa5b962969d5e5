"""A comparison laid out: its rows, and pages that hold them all and run nothing."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from mnist_arch.analysis.comparison import Comparison, compare
from mnist_arch.reports import comparison as report
from mnist_arch.reports.figures.comparison import accuracies, reliability_curves
from mnist_arch.reports.figures.inline import inline_svg
from mnist_arch.runs.calibration import Bin
from mnist_arch.runs.metrics import METRICS
from tests.analysis.test_comparison import run, seeds, single
from tests.factories import record, scores


def test_the_rows_are_the_networks_the_pairs_and_the_runs(tmp_path: Path) -> None:
    one = seeds(tmp_path / "a", [range(10), range(12)])
    compared = compare([*one, run(tmp_path / "b", [1], recipe="modern")])
    (first, second) = report.networks(compared).rows
    assert (*first[:2], first[2], first[3], first[6]) == (
        "A",
        "lenet5, own",
        [0, 1],
        94.5,
        "seeds",
    )
    assert (second[4], second[6]) == (None, "images")
    (pair,) = report.pairs(compared).rows
    assert (pair[0], pair[1], *pair[4:]) == (
        "A-B",
        -5,
        "t test",
        "seeds",
        (9, 0),
        "not distinguishable",
    )
    assert [row[:2] for row in report.runs(compared).rows] == [("A", 0), ("A", 1), ("B", 0)]
    errors = report.by_digit(compared).rows
    assert errors[0] == ("A", 1.5, 1.5, *[1] * 8, 11)
    assert errors[1][-1] == 1


def test_there_is_a_corrected_p_only_where_there_are_several_pairs(tmp_path: Path) -> None:
    titles = [column.title for column in report.pairs(single(tmp_path / "one")).columns]
    assert "Holm" not in titles
    compared = compare(seeds(tmp_path / "many", [range(50), [0, 1], [1, 2, 3]]))
    table = report.pairs(compared)
    place = [column.title for column in table.columns].index("Holm")
    assert [row[place] for row in table.rows] == [pair.adjusted for pair in compared.pairs]
    assert [row[-1] for row in table.rows] == ["B better", "C better", "not distinguishable"]


def test_every_metric_that_a_run_has_is_a_column(tmp_path: Path) -> None:
    old = run(tmp_path / "old", [1])
    every = dict.fromkeys(METRICS, 0.25)
    new = {"train": every | scores(2, 60_000), "test": every | scores(2, 200)}
    titles = [
        [column.title for column in report.runs(compare([old, other])).columns]
        for other in (
            run(tmp_path / "too", [1], recipe="modern"),
            run(tmp_path / "new", [1, 2], recipe="modern", scores=new),
        )
    ]
    assert titles[1][2:-1] == [metric.title for metric in METRICS.values()]
    assert titles[0][2:-1] == ["accuracy", "errors", "loss"]


@pytest.mark.parametrize(
    ("wrong", "verdict"), [([0], "lenet5, modern (B) is more"), (range(8, 12), "Not dist")]
)
def test_the_summary_names_the_better_network_or_says_that_there_is_none(
    wrong: range, verdict: str, tmp_path: Path
) -> None:
    many, few = run(tmp_path / "a", range(10)), run(tmp_path / "b", wrong, recipe="modern")
    (summary,) = report.prose(compare([many, few]), "summary")
    assert summary.startswith(verdict)


def test_a_note_is_there_for_each_method_that_was_used_and_no_other(tmp_path: Path) -> None:
    one = seeds(tmp_path / "a", [range(20), range(21), range(22), range(9)])
    other = seeds(tmp_path / "b", [[0], [0, 1], [0]], recipe="modern")
    records = seeds(tmp_path / "c", [[0], [1]], predictions=False)
    records += seeds(tmp_path / "d", [[0], [1]], predictions=False, recipe="modern")
    for paths, keys in (
        ([*one, *other], ["over", "bootstrap", "A-B", "ECE", "alone"]),
        ([one[0], other[0]], ["over", "McNemar", "ECE", "alone"]),
        (records, ["over", "none", "Left out for A, B"]),
    ):
        notes = report.prose(compare(paths), "notes")
        starts = [re.split(":|, whose", note)[0] for note in notes]
        assert starts == keys


def test_the_layouts_hold_the_same_rows_and_fit_a_screen(tmp_path: Path) -> None:
    paths = [
        path
        for recipe, first in (("lenet5", 40), ("modern", 2), ("another", 44))
        for path in seeds(
            tmp_path / recipe, [range(first), range(first // 2), range(first)], recipe=recipe
        )
    ]
    compared = compare([*paths, run(tmp_path / "one", [1], variant={"recipe.l2": "9" * 60})])
    screen = report.text(compared)
    assert max(map(len, screen.splitlines())) <= 100
    page, html = report.markdown(compared), report.html(compared, None, "none")
    for table in (report.networks(compared), report.pairs(compared), report.by_digit(compared)):
        assert table.text() in screen
        assert table.markdown() in page
        assert table.html() in html
    assert report.runs(compared).markdown() in page
    assert report.runs(compared).html() in html


def test_seeds_are_written_by_their_ends() -> None:
    assert report.ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert report.ranges([4]) == "4"


HOSTILE = {"recipe.x": "<script>alert(1)</script>|</td>\x1b[31m\n| --- |"}


def hostile(folder: Path) -> Comparison:
    """A run whose record was written by somebody unkind, and another."""
    return compare(
        [
            run(folder / "a", range(30), variant=HOSTILE, data_title="<b>&"),
            run(folder / "b", [40], data_title="<b>&"),
        ]
    )


class Tags(HTMLParser):
    """Collects what a page holds, and sees that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_needs_nothing_else_and_runs_nothing_that_a_record_says(tmp_path: Path) -> None:
    compared = hostile(tmp_path)
    images = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 1, 28, 28)
    page = report.html(compared, images)
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe", "b"} & {*tags.tags}
    # Twelve of the thirty digits that only A misclassifies, and the one of B.
    pictures = [link for link in tags.links if link.startswith("data:image/png;base64,")]
    assert len(pictures) == tags.tags.count("img") == 12 + 1
    assert {link for link in tags.links if not link.startswith("#")} == {*pictures}
    assert not re.search(r"url\((?!#)|@import", page)
    assert tags.tags.count("svg") == 3
    assert "prefers-color-scheme: dark" in page
    assert report.html(compared, images) == page
    picture = imread(BytesIO(b64decode(pictures[-1].partition(",")[2])))
    assert {*(255 * picture[:, :, :3]).round().ravel().tolist()} == {255 - 40}
    assert ">A 0, B 1<br>" in re.sub(r"\n", "", page)  # no. 40 is a 0, taken for the next by B
    markdown = report.markdown(compared)
    assert markdown.count("<script") == markdown.count("<b>") == 0
    (row,) = (line for line in markdown.splitlines() if line.startswith("| A | lenet5"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8 + 1
    assert "\x1b" not in markdown + report.text(compared) + page


def test_images_that_only_one_misclassifies_are_named_with_what_they_were_taken_for(
    tmp_path: Path,
) -> None:
    compared = hostile(tmp_path)
    first, second = report.prose(compared, "alone", compared.pairs[0], report.LISTED)
    assert first.startswith("Only A misclassifies 30: no. 0 (0 as 1), no. 1 (1 as 2), ")
    assert first.endswith("no. 11 (1 as 2), 18 more.")
    assert second == "Only B misclassifies 1: no. 40 (0 as 1)."


def test_pictures_are_of_images_on_this_machine_or_there_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_ARCH_DATA", str(tmp_path / "nothing"))
    images, reason = report.images_of(record(config={"data.root": None}))
    assert images is None
    assert reason.startswith("no IDX files in ")
    other = record(data="mnist_5k", provenance={"data_sha256": {"other": "sums"}})
    images, reason = report.images_of(other)
    assert images is None
    assert reason.startswith("mnist_5k on this machine")
    page = report.html(single(tmp_path), None, "no <files>")
    assert "No pictures: no &lt;files&gt;" in page


def test_accuracies_are_drawn_where_they_are() -> None:
    runs = {"A": [(99.0, 98.0, 99.5), (97.0, 96.0, 97.5)], "B": [(95.0, 94.0, 96.0)]}
    (axes,) = accuracies(runs, {"A": (98.0, 90.0, 99.9)}).axes
    bars = [path.vertices[:, 0].tolist() for each in axes.collections for path in each.get_paths()]
    assert bars == [[98, 99.5], [96, 97.5], pytest.approx([90, 99.9]), [94, 96]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["A", "B"]


def test_a_bin_of_few_images_is_not_drawn_and_an_empty_panel_is_blank() -> None:
    bins = [Bin(9, 0.1, 0.5), Bin(10, 0.3, 0.6), Bin(0, 0.0, 0.0), Bin(500, 0.9, 0.8)]
    figure = reliability_curves({"A": bins, "B": bins, "C": bins})
    panels = figure.axes
    assert [axes.axison for axes in panels] == [True, True, True, False]
    assert panels[0].lines[1].get_xydata().tolist() == [[0.3, 0.6], [0.9, 0.8]]


def test_a_figure_in_a_page_follows_the_pages_colours() -> None:
    svg = inline_svg(accuracies({"A": [(95.0, 94.0, 96.0)]}, {}))
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "var(--line)" in svg
    assert "#000000" not in svg
    assert ">test accuracy, percent</text>" in svg
    assert inline_svg(accuracies({"A": [(95.0, 94.0, 96.0)]}, {})) == svg
