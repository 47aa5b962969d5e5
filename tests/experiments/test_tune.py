"""Searches on small random images: what is proposed, what a trial is worth, and resuming."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import optuna
import pytest
from filelock import FileLock
from hydra import initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from experiments import tune
from mnist_arch.errors import UserError
from mnist_arch.runs import records
from tests.data.test_sources import contents, write

RATE = "recipe.optimizer.lr=tag(log,interval(1e-4,1))"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of a quick training on 300 images, 100 more for validation."""
    folder = tmp_path_factory.mktemp("idx")
    write(folder, contents(train=400))
    settings = ["model=dense", "data=idx", f"data.root={folder}", "recipe.validation=0.25"]
    return [*settings, "recipe.max_epochs=2", "recipe.batch_size=100"]


@pytest.fixture
def search(words: list[str], tmp_path: Path) -> Iterator[tune.Search]:
    with initialize_config_module("conf", version_base="1.3"):
        yield tune.Search([*words, RATE], [0, 3], tmp_path)


def run(*arguments: str) -> None:
    """Call the command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tune", *arguments])
        tune.main()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("x=interval(1e-4,1)", FloatDistribution(1e-4, 1)),
        ("x=tag(log,interval(1e-4,1))", FloatDistribution(1e-4, 1, log=True)),
        ("x=int(interval(8,64))", IntDistribution(8, 64)),
        ("x=tag(log,int(interval(8,64)))", IntDistribution(8, 64, log=True)),
        ("x=range(16,64,16)", IntDistribution(16, 48, step=16)),  # Hydra's ranges leave out 64
        ("x=range(0,0.3,0.1)", FloatDistribution(0, 0.2, step=0.1)),
        ("x=choice(32,64)", CategoricalDistribution(["32", "64"])),
        ("x=adamw,sgd", CategoricalDistribution(["adamw", "sgd"])),
        ("x=choice([1,2],none)", CategoricalDistribution(["[1,2]", "none"])),
    ],
)
def test_hydras_sweeps_are_optunas_distributions(word: str, expected: BaseDistribution) -> None:
    assert tune.distribution(OverridesParser.create().parse_override(word)) == expected


def test_a_trial_is_worth_its_mean_validation_errors_and_reports_each_epoch(
    search: tune.Search, tmp_path: Path
) -> None:
    study = optuna.create_study()
    search.run(study, 1, sampler_seed=0)
    (trial,) = study.trials
    runs = [records.read(path) for path in sorted(tmp_path.glob("*/record.json"))]
    assert [run.seed for run in runs] == [0, 3]
    assert {run.config["recipe.optimizer.lr"] for run in runs} == {
        float(f"{trial.params['recipe.optimizer.lr']:.4g}")
    }
    assert trial.value == mean(run.scores["validation"]["errors"] for run in runs)
    errors = [each for run in runs for each in run.history["validation/errors"]]
    assert trial.intermediate_values == dict(enumerate(errors, 1))
    assert all("test" not in run.scores and "test=false" in run.provenance.command for run in runs)


def test_a_trial_is_ended_in_the_epoch_whose_errors_displease_the_pruner(
    search: tune.Search, tmp_path: Path
) -> None:
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=1))
    search.run(study, 1, sampler_seed=0)
    (trial,) = study.trials
    assert (trial.state, [*trial.intermediate_values]) == (TrialState.PRUNED, [1])
    assert not [*tmp_path.glob("*/record.json")]


def test_a_trial_that_fails_stops_no_other(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--trials", "4", "--runs", str(tmp_path), *words, "recipe.optimizer.lr=choice(0.1,-1)"]
    with pytest.raises(SystemExit) as end:
        run("rates", *both)
    assert end.value.code == 1
    rows = list(csv.DictReader((tmp_path / "studies/rates/table.csv").read_text().splitlines()))
    states = {row["recipe.optimizer.lr"]: row["state"] for row in rows}
    assert states == {"0.1": "complete", "-1": "failed"}
    (failed, *_) = (row for row in rows if row["state"] == "failed")
    log = tmp_path / f"studies/rates/{int(failed['trial']) - 1}.log"
    assert log.read_text().startswith("Traceback")
    assert f"({log})" in capsys.readouterr().err


def test_a_killed_search_ends_as_if_it_had_never_been(words: list[str], tmp_path: Path) -> None:
    line = [sys.executable, "-m", "experiments.tune", "rates", "--trials", "5", "--seeds", "0,1"]
    line += [*words, RATE, "recipe.l2=choice(0,1e-3)"]

    def finish(folder: Path) -> tuple[str, str]:
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return (folder / "runs/studies/rates/table.csv").read_text(), done.stdout

    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    straight, last_words = finish(tmp_path / "straight")
    pipe = {"stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=tmp_path / "killed", **pipe) as process:
        lines = iter(process.stderr)
        assert any(each.startswith("trial 3 of 5") for each in lines)
        assert any(each.startswith("dense epoch 1/2") for each in lines)
        process.kill()
    table, printed = finish(tmp_path / "killed")
    assert table == straight
    assert printed == last_words
    assert len(table.splitlines()) == 6
    assert printed.splitlines()[-1].startswith("  python -m experiments.run model=dense data=idx ")


@pytest.fixture
def study(words: list[str], tmp_path: Path) -> list[str]:
    """The command of a finished study, and then no training."""
    line = ["rates", "--trials", "1", "--runs", str(tmp_path), *words, RATE]
    run(*line)
    return line


def test_a_finished_study_trains_nothing_and_grows_by_more_trials(
    study: list[str], tmp_path: Path
) -> None:
    (before,) = tmp_path.glob("studies/rates/*/record.json")
    written = before.stat().st_mtime_ns
    run(*study)
    assert [*tmp_path.glob("studies/rates/*/record.json")] == [before]
    run(*study[:2], "2", *study[3:])
    assert len([*tmp_path.glob("studies/rates/*/record.json")]) == 2
    assert before.stat().st_mtime_ns == written


def test_the_same_search_in_other_words_is_the_same_study(study: list[str]) -> None:
    run(*study[:-1], "recipe.optimizer.lr=tag(log,interval(0.0001,1.0))", "recipe.l2=0.0")


@pytest.mark.parametrize(
    "changes",
    [["recipe.optimizer.lr=interval(1e-4,1)"], [RATE, "--seeds=1..1"], [RATE, "recipe.l2=0.1"]],
)
def test_a_study_of_another_search_is_refused(study: list[str], changes: list[str]) -> None:
    with pytest.raises(UserError, match="is a study of other words or seeds; choose another name"):
        run(*study[:-1], *changes)


def test_a_study_is_for_one_process_at_a_time(study: list[str], tmp_path: Path) -> None:
    with FileLock(tmp_path / "studies/rates/.lock"), pytest.raises(UserError, match="at work on"):
        run(*study)


def test_without_its_extra_the_command_says_how_to_get_it(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"optuna is missing: pip install 'mnist_arch\[tune\]'"):
        run("rates", *words, RATE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=mlp"], "nothing to search; add a word such as recipe.batch_size=choice"),
        ([RATE, "seed=1"], "seed=1: use --seeds"),
        (["seed=choice(1,2)"], "seed=choice(1,2): use --seeds"),
        ([RATE, "test=true"], "test=true: nothing is chosen by test digits"),
        ([RATE, "--seeds=0,00"], "--seeds 0,00: 0 is there twice"),
        ([RATE, "--seeds="], "--seeds : must be a range, as in 0..9, or a list"),
        ([RATE, "--seeds=3"], "--seeds 3: must be a range, as in 0..9, or a list"),
        ([RATE, "--seeds=3..1"], "--seeds 3..1: must be a range"),
        ([RATE, "--seeds=-1..2"], "--seeds -1..2: -1: must be 0 or more"),
        ([RATE, "--trials=0"], "--trials 0: must be 1 or more"),
        (["recipe.max_epoch=choice(1,2)"], "no setting 'recipe.max_epoch'; did you mean max_epo"),
        (["recipe=choice(mlp,modrn)"], "recipe=modrn: no such choice; did you mean modern?"),
        (["recipe.batch_size=interval(8,64)"], "recipe.batch_size: Value '8.0' of type 'float'"),
        (["recipe.max_epochs=choice(1,0)"], "recipe.max_epochs=0: must be 1 or more"),
        (
            ["recipe.optimizer.lr=interval(1,0)"],
            "recipe.optimizer.lr=interval(1,0): ",
        ),
        (["recipe.optimizer.lr=tag(log,interval(0,1))"], "recipe.optimizer.lr=tag(log,interval(0"),
        (["recipe.optimizer.lr=interval(0"], "recipe.optimizer.lr=interval(0"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_made(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        run("rates", "model=mlp", *arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert not [*tmp_path.iterdir()]


def test_without_validation_images_there_is_nothing_to_judge_by(
    words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no images are for validation"):
        run("rates", f"--runs={tmp_path}", *words, "recipe.validation=0", RATE)
    assert not [*tmp_path.iterdir()]
