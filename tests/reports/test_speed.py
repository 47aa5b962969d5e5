"""docs/speed.md says what its record says."""

from pathlib import Path

import pytest

from mnist_arch.analysis.speed import Speed, shares
from mnist_arch.models import ARCHITECTURES
from mnist_arch.reports import speed as report
from mnist_arch.runs.records import read_as
from tests.factories import provenance

ROOT = Path(__file__).parents[2]
MADE = Speed(
    processor={"model": "abacus", "family": "1/2", "flags": ["avx2"], "cores": 2, "threads": 2},
    load=0.5,
    training=[
        {
            "network": "dense",
            "batch": 32,
            "flops": 1e6,
            "peak": [100.0, 95.0],
            "bare": [1000.0, 2000.0],
            "ours": [990.0, 1900.0],
            "keras": [500.0, 500.0],
        }
    ],
    scoring=[{"network": "dense", "scoring": [4000.0], "training": [1000.0]}],
    starts={"--help": [0.5, 0.7]},
    seeds=[{"network": "dense", "copies": 8, "together": [0.004], "alone": [0.001]}],
    processes=[
        {
            "network": "lenet5",
            "alone": [1000.0, 2000.0],
            "alone_thread": [800.0, 1600.0],
            "together": [1600.0, 3000.0],
        }
    ],
    profile=[{"network": "dense", "shares": shares({"aten::mm": 1, "aten::add_": 3})}],
    sdlm={"compiled": [22.0], "plain": [96.0]},
    widths=[{"hidden": 10, "rates": [1000.0]}],
    speedrun=[],
    commands={"training": ["python -m experiments.benchmark"]},
    provenance=provenance(),
)


def test_training_is_compared_round_by_round_and_with_the_peak() -> None:
    (row,) = report.training(MADE).rows
    assert row[:4] == ("`dense`", 32, 1500, 1445)
    assert row[4] == pytest.approx((0.99 + 0.95) / 2)
    assert row[6] == pytest.approx((990 / 500 + 1900 / 500) / 2)
    share = 100 * 1e-3 * (990 / 100 + 1900 / 95) / 2
    assert row[7:] == (pytest.approx(1.445), pytest.approx(share))


def test_copies_are_counted_in_times_of_one() -> None:
    assert report.seeds(MADE).rows == [("`dense`", 8, 4.0, 1.0, pytest.approx(4.0))]


def test_runs_side_by_side_are_compared_with_one_after_the_other() -> None:
    (row,) = report.processes(MADE).rows
    assert row == ("`lenet5`", 1500, 1200, 2300, pytest.approx(1.55), pytest.approx(1.9375))


def test_the_kinds_of_work_add_up() -> None:
    (row,) = report.profile(MADE).rows
    assert row == ("`dense`", 0, 25, 0, 0, 0, 0, 75)


def test_parts_that_were_not_measured_are_left_out() -> None:
    page = report.text(
        Speed(
            processor=MADE.processor,
            load=0,
            training=[],
            scoring=[],
            starts={},
            seeds=[],
            processes=[],
            profile=[],
            sdlm={},
            widths=[],
            speedrun=[],
            commands={},
            provenance=provenance(),
        )
    )
    assert "Single patterns" not in page
    assert "None yet." in page
    report.figure(MADE)


def test_the_page_of_results_names_the_processor_that_its_seconds_are_of() -> None:
    measured = read_as(Speed, ROOT / "results/speed/recipes.json")
    name, family = measured.processor["model"], measured.processor["family"]
    assert f"{name} (family/model {family}" in " ".join(
        (ROOT / "docs/results.md").read_text().split()
    )
    assert {(row["network"], row["recipe"]) for row in measured.recipes} == {
        (name, recipe) for name in ARCHITECTURES for recipe in (name, "modern")
    }


def test_the_committed_page_is_made_from_the_committed_record() -> None:
    speed = read_as(Speed, ROOT / "results/speed/benchmark.json")
    assert (ROOT / "docs/speed.md").read_text() == report.text(speed)
