"""The page about pictures that are not MNIST's: its rows, and that it is its records'."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mnist_arch
from mnist_arch.analysis.ablation import ABLATIONS
from mnist_arch.analysis.external import ExternalValidity
from mnist_arch.reports import external as report
from mnist_arch.runs.records import read_as
from tests.factories import provenance

ROOT = Path(mnist_arch.__file__).parent.parent


def validity(**changes: Any) -> ExternalValidity:
    """The record of a network that is 99.15 % right on 10,000 digits."""
    values: dict[str, Any] = {
        "name": "lenet5-seed1",
        "run": {"architecture": "lenet5", "recipe": "modern"},
        "augmented": False,
        "digits": 10_000,
        "originals": 85,
        "errors": {"as_they_are": 90, "enlarged": 100, "photographed": 300, "uci": 180},
        "uci_digits": 1_797,
        "doubted": 600,
        "doubted_errors": 40,
        "no_digits": 200,
        "accepted": {"letters": 81},
        "ablation_digits": 500,
        "ablation": {"": {"enlarged": 7, "photographed": 8, "uci": 9}},
        "provenance": provenance(),
    }
    return ExternalValidity(**values | changes)


def test_rows_are_in_points_and_percent() -> None:
    (row,) = report.accuracies([validity()]).rows
    changes = [pytest.approx(change) for change in (-0.05, -0.15, -2.15)]
    assert row == ("`lenet5`, modern", 99.15, *changes, False, pytest.approx(100 * 1617 / 1797))
    assert report.doubts([validity()]).rows == [("`lenet5`, modern", 6.0, (40, 85), 40.5)]


def test_papers_are_in_percent_of_pictures_right_and_wrong_without_doubt() -> None:
    one = validity(of_a_kind=50, kinds={"ruled": [5, 1]})
    table = report.papers([one, replace(one, kinds={"ruled": [0, 0]})])
    assert table.rows == [["ruled", 90, 2, 100, 0]]
    assert "| ruled | 90 % | 2 % |" in report.page([one])


def test_every_step_that_was_left_out_is_a_row() -> None:
    errors = {"enlarged": 7, "photographed": 8, "uci": 9}
    table = report.steps(validity(ablation=dict.fromkeys(["", *ABLATIONS], errors)))
    assert [row[0] for row in table.rows] == ["none", *(each.step for each in ABLATIONS.values())]
    assert table.rows[0] == ("none", None, 7, 8, 9)


def test_networks_come_in_their_order_with_their_own_recipe_first() -> None:
    kinds = [("lenet5", "modern"), ("lenet5", "lenet5"), ("dense", "modern")]
    records = [validity(run={"architecture": a, "recipe": r}) for a, r in kinds]
    titles = [report.title(each) for each in report.in_order(records)]
    assert titles == ["`dense`, modern", "`lenet5`", "`lenet5`, modern"]


def test_the_answer_leaves_out_networks_that_did_not_learn() -> None:
    """Change of 2.15 points at most, 89.98 % of UCI's, 40.5 % of letters; the other net: 9,000."""
    other = validity(originals=9_000, errors=dict.fromkeys(validity().errors, 1_000))
    answer = report.page([validity(), other]).split("\n\n")[1]
    for number in ("at most 2.15 points", "90.0 to 90.0 %", "up to 40 %"):
        assert number in answer


def test_the_committed_page_is_what_the_committed_records_say() -> None:
    paths = sorted((ROOT / "results/reading").glob("*.json"))
    records = [read_as(ExternalValidity, path) for path in paths]
    assert (ROOT / "docs/reading.md").read_text() == report.page(records)
    for path, record in zip(paths, records, strict=True):
        assert not record.provenance.dirty, path
        assert path.stem == record.name
