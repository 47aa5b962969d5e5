"""The two commands that print tables."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import mnist_arch
from experiments import report
from experiments.report import tables
from mnist_arch.analysis.ensembles import Ensemble
from mnist_arch.analysis.speed import Speed
from mnist_arch.errors import UserError
from mnist_arch.reports.results import BEGIN, END
from mnist_arch.runs.records import read_as, read_values, write_values
from tests.factories import record

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_report_prints_a_table_of_any_runs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "runs/one").mkdir(parents=True)
    record().write(tmp_path / "runs/one")
    done = command("experiments.report", "runs")
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    source = "[soorya-2021](sources.md#soorya-2021)"
    claim = ["`mlp`", "the source's", "test accuracy", source, "97.59 %", "1", "97.59"]
    assert claim in [row[:7] for row in rows]
    assert ["`mlp`", "79,510", "own", "1", "10,000 test", "97.59 %"] in [row[:6] for row in rows]


def test_report_writes_a_page_and_a_second_time_the_same_bytes(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    record().write(tmp_path / "results")
    page = tmp_path / "page.md"
    names = ("results", "claims", "tried", "modern", "choices", "ensembles")
    places = [f"{BEGIN.format(name)}\n{END.format(name)}\n" for name in names]
    page.write_text("before\n" + "\n".join(places) + "after\n")
    assert command("experiments.report", "--write", "page.md").returncode == 0
    once = page.read_bytes()
    assert b"97.59 %" in once
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", "--write", "page.md"])
    report.main()
    assert page.read_bytes() == once
    assert {path.name for path in tmp_path.iterdir()} == {"results", "page.md"}


def test_report_writes_the_page_of_sources(command: Command, tmp_path: Path) -> None:
    done = command("experiments.report", "--sources", "sources.md")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "## lecun-1998\n" in (tmp_path / "sources.md").read_text()


def test_report_without_records_says_what_to_do(command: Command) -> None:
    done = command("experiments.report", "nowhere")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere: no records there; make one with experiments.run\n"


@pytest.mark.parametrize(("name", "batch"), [("dense", 32), ("lenet5", 64)])
def test_benchmark_measures_both_sides(
    command: Command, tmp_path: Path, name: str, batch: int
) -> None:
    words = ["--seconds", "0.05", "--rounds", "2", "--only", "training", "--out", "speed.json"]
    done = command("experiments.benchmark", name, *words)
    assert done.returncode == 0, done.stderr
    speed = read_as(Speed, tmp_path / "speed.json")
    (row,) = speed.training
    assert (row["network"], row["batch"]) == (name, batch)
    assert len(row["bare"]) == len(row["ours"]) == len(row["peak"]) == 2
    assert min(row["bare"] + row["ours"] + row["peak"]) > 0
    assert speed.provenance.command.startswith(f"python -m experiments.benchmark {name}")


def test_benchmark_times_each_recipe_of_a_network_and_the_report_reckons_with_it(
    command: Command, tmp_path: Path
) -> None:
    """Five epochs of 60,000 images."""
    words = ["--seconds", "0.05", "--rounds", "3", "--only", "recipes", "--out"]
    (tmp_path / "results/speed").mkdir(parents=True)
    done = command("experiments.benchmark", "mlp", *words, "results/speed/recipes.json")
    assert done.returncode == 0, done.stderr
    rows = read_as(Speed, tmp_path / "results/speed/recipes.json").recipes
    assert [(row["network"], row["recipe"]) for row in rows] == [("mlp", "mlp"), ("mlp", "modern")]
    assert all(len(row["rates"]) == 3 and min(row["rates"]) > 0 for row in rows)

    record().write(tmp_path / "results")
    (cost,) = tables(tmp_path / "results")["cost"].rows
    assert cost[5] == pytest.approx(5 * 60_000 / median(rows[0]["rates"]))


@pytest.mark.parametrize("rates", [[], [0], [-3.0], [[5.0]], ["5"], None])
def test_the_report_takes_no_pace_that_cannot_be(tmp_path: Path, rates: Any) -> None:
    record().write(tmp_path)
    speed = tmp_path / "speed/recipes.json"
    speed.parent.mkdir()
    values = read_values(
        Path(mnist_arch.__file__).parents[1] / "results/speed/recipes.json", set(), 1
    )
    write_values(
        speed, values | {"recipes": [{"network": "mlp", "recipe": "mlp", "rates": rates}]}
    )
    with pytest.raises(UserError, match=r"recipes\.json: not a readable record"):
        tables(tmp_path)


PEER = """
print('{"started": 0, "epochs": 1, "seconds": 9, "accuracy": %s}')
"""


def test_a_part_measured_again_leaves_the_others_and_other_programs_as_they_are(
    command: Command, tmp_path: Path
) -> None:
    for name, accuracy in (("one", 97), ("two", 98), ("one", 99)):
        (tmp_path / f"{name}.py").write_text(PEER % accuracy)
        peer = f"{name}={sys.executable} {name}.py"
        words = ["--speedrun-seeds", "0", "--peer", peer, "--rounds", "1", "--out", "speed.json"]
        done = command("experiments.benchmark", "--only", "speedrun", *words)
        assert done.returncode == 0, done.stderr
    speed = read_as(Speed, tmp_path / "speed.json")
    rows = [(row["program"], row["runs"], row["accuracy"]) for row in speed.speedrun]
    assert rows == [("one", 3, 99), ("two", 3, 98)]
    (commands,) = speed.commands.values()
    assert [each.split("--peer ")[1].split()[0] for each in commands] == [
        "one=COMMAND",
        "two=COMMAND",
    ]

    values = read_values(tmp_path / "speed.json", set(), 1)
    values["processor"]["model"] = "abacus"
    write_values(tmp_path / "speed.json", values)
    done = command("experiments.benchmark", "--only", "widths", "--out", "speed.json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: --only: speed.json is of another processor")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mpl"], "error: mpl: choose among dense, mlp"),
        (["--rounds", "0"], "error: --rounds 0: must be 1 or more"),
        ([], "error: there is no results/ and docs/ here"),
        (["--out", "nowhere/speed.json"], "error: nowhere/speed.json: there is no folder nowhere"),
        (
            [
                *("dense", "--seconds", "0.01", "--rounds", "1", "--only", "training"),
                *("--keras", "nowhere", "--out", "speed.json"),
            ],
            "error: --keras nowhere: cannot be run",
        ),
    ],
)
def test_benchmark_says_what_is_wrong(
    command: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    done = command("experiments.benchmark", *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(message)
    assert not [*tmp_path.iterdir()]


def test_ensemble_prints_each_member_and_writes_a_record(command: Command, tmp_path: Path) -> None:
    from tests.analysis.test_ensembles import run

    run(tmp_path / "a", "mlp", [[9.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    run(tmp_path / "b", "mlp", [[5.0, 0.0, 0.0], [0.0, 9.9, 0.0], [0.0, 0.0, 5.0]], seed=1)
    done = command("experiments.ensemble", "a", "b", "--out", "both.json")
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:3] for line in done.stdout.splitlines()[1:]]
    assert rows == [["a", "1", "66.67"], ["b", "0", "100.00"], ["all", "together", "0"]]
    ensemble = read_as(Ensemble, tmp_path / "both.json")
    assert ensemble.provenance.command == "python -m experiments.ensemble a b --out both.json"


def test_ensemble_says_what_is_wrong(command: Command) -> None:
    done = command("experiments.ensemble", "nowhere", "elsewhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: nowhere: no such run folder or record file")
