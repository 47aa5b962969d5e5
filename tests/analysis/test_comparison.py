"""Which nets differ: tests chosen by what there is, and counted by hand."""

import re
from base64 import b64decode
from collections.abc import Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from mnist_arch.analysis.comparison import Comparison, compare
from mnist_arch.analysis.statistics import Bin, mcnemar
from mnist_arch.errors import UserError
from mnist_arch.reports import comparison_tables as tables
from mnist_arch.reports.comparison_page import html, test_images
from mnist_arch.reports.figures.comparison import accuracies, reliability_curves
from mnist_arch.reports.figures.inline import inline_svg
from tests.runs.test_records import record

test_images.__test__ = False  # type: ignore[attr-defined]  # no test, in spite of its name
DIGITS = np.arange(200) % 10
SURE = 0.9  # the probability of each digit read


def run(folder: Path, misread: Sequence[int], *, predictions: bool = True, **changes: Any) -> Path:
    """A finished LeNet-5 that reads these of 200 digits as the next greater, all as surely."""
    readings = DIGITS.copy()
    readings[list(misread)] = (readings[list(misread)] + 1) % 10
    scores = np.full((200, 10), np.log((1 - SURE) / 9), dtype=np.float32)
    scores[np.arange(200), readings] = np.log(SURE)
    values = {
        "architecture": "lenet5",
        "recipe": "lenet5",
        "data_sha256": {"t10k": "a"},
        "test_images": 200,
        "test_errors": len(misread),
        "test_errors_by_digit": np.bincount(DIGITS[list(misread)], minlength=10).tolist(),
    }
    folder.mkdir(parents=True)
    record(**values | changes).write(folder)
    if predictions:
        np.savez_compressed(folder / "predictions.npz", scores=scores, digits=DIGITS)
    return folder


def seeds(folder: Path, misread: Sequence[Sequence[int]], **changes: Any) -> list[Path]:
    """Runs that differ in their seed, from 0, and in what they misread."""
    return [run(folder / str(n), each, seed=n, **changes) for n, each in enumerate(misread)]


def single(folder: Path) -> Comparison:
    """One run that misreads 0 to 9, another that misreads 8 to 11."""
    return compare(
        [run(folder / "a", range(10)), run(folder / "b", range(8, 12), recipe="modern")]
    )


def test_two_runs_are_compared_on_the_same_digits(tmp_path: Path) -> None:
    """Eight are misread by the first alone, two by the second alone: 4 points of 200 apart."""
    (pair,) = single(tmp_path).pairs
    assert (pair.first.name, pair.second.name) == ("lenet5, own", "lenet5, modern")
    assert pair.test == "McNemar"
    assert pair.only_first is not None
    assert pair.only_second is not None
    assert (pair.only_first.tolist(), pair.only_second.tolist()) == ([*range(8)], [10, 11])
    assert pair.difference is not None
    assert pair.difference.value == pytest.approx(-3)
    # Twice C(10,0) + C(10,1) + C(10,2), less C(10,2), of 2^10; too much for a difference.
    assert pair.difference.p == pytest.approx((2 * (1 + 10 + 45) - 45) / 1024)
    assert (pair.verdict, pair.better) == ("not distinguishable", None)
    expected = mcnemar(2, 8, 200)
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (100 * expected.low, 100 * expected.high)
    )


def test_the_better_net_is_named_whichever_is_first(tmp_path: Path) -> None:
    many, few = run(tmp_path / "a", range(20)), run(tmp_path / "b", [0], recipe="modern")
    for paths, better in (([many, few], "B better"), ([few, many], "A better")):
        (pair,) = compare(paths).pairs
        assert pair.verdict == better
        assert pair.better is not None
        assert pair.better.name == "lenet5, modern"


@pytest.mark.parametrize(
    ("first", "second", "test", "paired"),
    [
        (3, 4, "bootstrap", [0, 1, 2]),
        (2, 4, "t test", []),  # the bootstrap needs three seeds in common
        (1, 3, "t test", []),
        (1, 1, "McNemar", []),
    ],
)
def test_the_test_is_that_which_covers_most(
    first: int, second: int, test: str, paired: list[int], tmp_path: Path
) -> None:
    one = seeds(tmp_path / "a", [range(20 + n) for n in range(first)])
    other = seeds(tmp_path / "b", [range(5, 7 + n) for n in range(second)], recipe="modern")
    (pair,) = compare([*one, *other]).pairs
    assert (pair.test, pair.seeds) == (test, paired)
    assert pair.difference is not None
    mean = np.mean([20 + n for n in range(first)]), np.mean([2 + n for n in range(second)])
    if test == "bootstrap":
        mean = np.mean([20, 21, 22]), np.mean([2, 3, 4])
    assert pair.difference.value == pytest.approx(-100 * (mean[0] - mean[1]) / 200)
    assert pair.verdict == "B better"
    # Misread by every run of the first and none of the second's, whose last misreads most.
    assert pair.only_first is not None
    assert pair.only_first.tolist() == [*range(5), *range(6 + second, 20)]


def test_runs_that_differ_in_nothing_but_their_seed_are_compared_with_each_other(
    tmp_path: Path,
) -> None:
    """One of three is far off. Holm: the least p counts three times, the greatest once."""
    compared = compare(seeds(tmp_path, [range(50), [0, 1], [1, 2, 3]]))
    assert [net.name for net in compared.nets] == [f"lenet5, own, seed {n}" for n in range(3)]
    assert [pair.verdict for pair in compared.pairs] == [
        *("B better", "C better"),
        "not distinguishable",
    ]
    p_values = [pair.difference.p for pair in compared.pairs if pair.difference]
    adjusted = [pair.adjusted for pair in compared.pairs]
    # C(48,0) of 2^48 by mid-p; 0 and 47; 1 and 2 of 3: 2 (1 + 3) - 3 of 8, less half: 5/8.
    assert p_values == pytest.approx([2**-48, 2**-47, 5 / 8])
    assert adjusted == pytest.approx([3 * 2**-48, 2 * 2**-47, 5 / 8])


def test_records_alone_give_what_can_be_given_and_say_what_is_left_out(tmp_path: Path) -> None:
    one = seeds(tmp_path / "a", [range(20), range(22)], predictions=False)
    other = seeds(tmp_path / "b", [[1], [1, 2]], predictions=False, recipe="modern")
    alone = run(tmp_path / "c", range(10), predictions=False, recipe="other")
    lonely = run(tmp_path / "d", range(9), predictions=False, recipe="others")
    compared = compare([*(path / "record.json" for path in (*one, *other)), alone, lonely])
    tests = [pair.test for pair in compared.pairs]
    assert tests == ["t test"] * 5 + ["none"]
    assert compared.pairs[-1].verdict == "not tested"
    shown = tables.screen(compared)
    assert "Left out for A, B, C, D, whose records have no predictions.npz" in shown
    assert "ECE:" not in shown
    assert "not tested" in shown
    assert compared.nets[0].errors_by_digit == [2.5, 2.5, *[2] * 8]


def test_an_interval_is_over_seeds_or_else_wilsons_over_digits(tmp_path: Path) -> None:
    """Errors 10 and 12 of 200: mean 94.5 %, t(0.975, 1) = 12.706 times 0.5. Then 0 of 200."""
    several = seeds(tmp_path / "a", [range(10), range(12)])
    one = run(tmp_path / "b", [], recipe="modern")
    first, second = compare([*several, one]).nets
    assert first.interval == pytest.approx((94.5 - 6.353, 94.5 + 6.353), abs=1e-3)
    # No errors of n: the upper end of Wilson's interval is z^2 / (n + z^2).
    assert second.interval == pytest.approx((100 * (1 - 3.8415 / 203.8415), 100), abs=1e-4)
    assert first.errors_by_digit == [1.5, 1.5, *[1] * 8]


def test_the_calibration_error_is_how_far_sureness_is_from_rightness(tmp_path: Path) -> None:
    """All are read with 0.9; of 200, 190 and 200 right: off by 0.05 and 0.1, on average 0.075."""
    paths = seeds(tmp_path / "a", [range(10), []])
    net = compare([*paths, run(tmp_path / "b", [1], recipe="modern")]).nets[0]
    assert net.calibration_error == pytest.approx(0.075)
    assert net.bins[13] == pytest.approx((400, 0.9, 0.975))
    assert sum(each.images for each in net.bins) == 400


def test_what_cannot_be_compared_is_named(tmp_path: Path) -> None:
    one = run(tmp_path / "one", [1])
    other = run(tmp_path / "other", [1], recipe="modern", data_sha256={"t10k": "b"})
    again = run(tmp_path / "again", [1])
    untested = run(tmp_path / "untested", [], seed=3, test_images=None)
    unknown = run(tmp_path / "unknown", [1], architecture="lenet6")
    moved = run(tmp_path / "moved", [1], recipe="moved")
    with np.load(moved / "predictions.npz") as saved:
        scores = saved["scores"]
    turned = np.roll(DIGITS, 10)
    turned[:2] = turned[1::-1]
    np.savez_compressed(moved / "predictions.npz", scores=scores[::-1], digits=DIGITS[::-1])
    for paths, message in (
        ([one], "1 to compare; name 2 to 26"),
        ([one, one / "record.json"], "1 to compare"),
        ([one, again], "two records of the same run"),
        ([one, tmp_path / "nowhere"], "nowhere: not a readable record"),
        ([one, tmp_path], "record.json: not a readable record"),
        ([one, other], "other/record.json: not tested on the digits of .*one/record.json"),
        ([one, moved], "moved/record.json: not tested on the digits of .*one/record.json"),
        ([one, untested], r"untested/record.json: not tested \(test=false\)"),
        ([one, unknown], "no network 'lenet6'; did you mean lenet5"),
    ):
        with pytest.raises(UserError, match=message):
            compare(paths)


def test_the_words_say_which_is_better_by_how_much_and_what_it_rests_on(tmp_path: Path) -> None:
    alike = single(tmp_path / "alike")
    assert tables.summary(alike).startswith(
        "Not distinguishable: lenet5, own (A) and lenet5, modern (B); A-B is -3.00 points"
    )
    one = seeds(tmp_path / "a", [range(20), range(21), range(22), range(9)])
    other = seeds(tmp_path / "b", [[0], [0, 1], [0]], recipe="modern")
    compared = compare([*one, *other])
    assert tables.summary(compared).startswith(
        "lenet5, modern (B) reads more test digits right than lenet5, own (A): A-B is -9.83 points"
    )
    notes = " ".join(tables.notes(compared))
    assert "A-B: seeds without a partner, unused: A's 3." in notes
    assert "It covers other seeds and other digits" in notes
    assert "McNemar" not in notes


def test_tables_fit_a_screen_and_hold_the_same_cells_in_markdown(tmp_path: Path) -> None:
    paths = [
        path
        for recipe, first in (("lenet5", 40), ("modern", 2), ("another", 44))
        for path in seeds(
            tmp_path / recipe, [range(first), range(first // 2), range(first)], recipe=recipe
        )
    ]
    compared = compare([*paths, run(tmp_path / "one", [1], overrides=["recipe.l2=" + "9" * 60])])
    shown = tables.screen(compared)
    assert max(map(len, shown.splitlines())) <= 100
    page = tables.page(compared)
    header, rows = tables.pairs(compared)
    assert len(rows) == 6
    for row in (header, *rows):
        assert "| " + " | ".join(row) + " |" in page
        assert re.sub(" +", " ", " ".join(row)).strip() in re.sub(" +", " ", shown)


def test_seeds_are_written_by_their_ends() -> None:
    assert tables.ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert tables.ranges([4]) == "4"


HOSTILE = ["x=<script>alert(1)</script>|</td>\x1b[31m\n| --- |"]


def hostile(folder: Path) -> Comparison:
    """A run whose record was written by somebody unkind, and another."""
    return compare(
        [
            run(folder / "a", range(30), overrides=HOSTILE, data_title="<b>&"),
            run(folder / "b", [40], data_title="<b>&"),
        ]
    )


class Tags(HTMLParser):
    """Collects what a page holds, and sees that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_whole_in_itself_and_runs_nothing_that_a_record_says(tmp_path: Path) -> None:
    compared = hostile(tmp_path)
    images = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 1, 28, 28)
    page = html(compared, images)
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe", "b"} & {*tags.seen}
    # Twelve of the thirty digits that only A misreads, and the one of B.
    pictures = [link for link in tags.links if link.startswith("data:image/png;base64,")]
    assert len(pictures) == tags.seen.count("img") == 12 + 1
    assert {link for link in tags.links if not link.startswith("#")} == {*pictures}
    assert not re.search(r"url\((?!#)|@import", page)
    assert tags.seen.count("svg") == 3
    assert "prefers-color-scheme: dark" in page
    assert html(compared, images) == page
    picture = imread(BytesIO(b64decode(pictures[-1].partition(",")[2])))
    assert {*(255 * picture[:, :, :3]).round().ravel().tolist()} == {255 - 40}
    assert ">A 0, B 1<br>" in page  # no. 40 is a 0, which B reads as the next
    assert "Only B misreads 1: no. 40 (0 as 1)." in page
    assert "no. 11 (1 as 2), 18 more." in page
    markdown = tables.page(compared)
    assert markdown.count("<script") == 0
    (row,) = (line for line in markdown.splitlines() if line.startswith("| A | lenet5"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8 + 1
    assert "\x1b" not in markdown + tables.screen(compared)


def test_pictures_are_of_digits_on_this_machine_or_it_is_said_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_ARCH_DATA", str(tmp_path / "nothing"))
    images, why = test_images(record(config={"data.root": None}))
    assert images is None
    assert why.startswith("no IDX files in ")
    images, why = test_images(record(data="mnist_5k", data_sha256={"other": "sums"}))
    assert (images, why) == (None, "mnist_5k on this machine is not what the runs read")
    page = html(single(tmp_path), None, "no <files>")
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
