"""Sweeps: what becomes of their jobs, and how they end."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
from hydra import initialize_config_module
from omegaconf import OmegaConf

from experiments import sweeps
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.records import read
from tests.factories import record

Command = Callable[..., subprocess.CompletedProcess[str]]


def outcomes(folder: Path) -> list[str]:
    paths = sorted(folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text())["status"] for path in paths]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sweeps.begin(tmp_path / "sweep", 3)
    return tmp_path / "sweep"


def finishes(
    path: Path, errors: int = 0, **changes: object
) -> Callable[[], tuple[list[Path], bool]]:
    """A job whose run is finished in that folder."""
    path.mkdir()
    record(errors, **changes).write(path)
    return lambda: ([path], False)


def fails(error: BaseException) -> Callable[[], tuple[list[Path], bool]]:
    def job() -> tuple[list[Path], bool]:
        raise error

    return job


def test_a_failed_job_stops_no_other_and_is_listed_with_its_log(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweeps.attempt(folder, 0, ["seed=0"], fails(UserError("lr: too small")))
    sweeps.attempt(folder, 1, ["seed=1", "a='b c'"], fails(ZeroDivisionError("by nought")))
    sweeps.attempt(folder, 2, ["seed=2"], finishes(tmp_path / "run", seed=2))
    assert outcomes(folder) == ["failed", "failed", "finished"]
    assert sweeps.end(folder) is False
    told = capsys.readouterr()
    assert "mlp" in told.out
    assert told.err.partition("\n\n")[2].splitlines() == [
        "2 of 3 jobs are not finished:",
        "  seed=0",
        "    lr: too small",
        f"    {folder}/0.log",
        "  seed=1 'a='\"'\"'b c'\"'\"''",
        "    ZeroDivisionError: by nought",
        f"    {folder}/1.log",
        "The same command tries these again, and no others.",
    ]
    assert "in fails" not in (log := (folder / "1.log").read_text())
    assert log.startswith("Traceback")
    assert "raise error" in log


def test_after_a_failure_nothing_is_done_when_asked_so(folder: Path, tmp_path: Path) -> None:
    done = finishes(tmp_path / "run")
    for number, job in enumerate((done, fails(UserError("no")), done)):
        sweeps.attempt(folder, number, [], job, fail_fast=True)
    assert outcomes(folder) == ["finished", "failed", "not run"]
    assert sweeps.end(folder) is False


def test_an_interruption_is_no_failed_job(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweeps.attempt(folder, 0, [], fails(KeyboardInterrupt()))
    assert outcomes(folder) == []


def test_runs_that_differ_in_no_more_than_their_threads_have_no_common_row(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, threads in enumerate((1, 2)):
        words = [f"trainer.threads={threads}"]
        job = finishes(tmp_path / f"run{threads}", 100 * threads)
        sweeps.attempt(folder, number, words, job)
    sweeps.end(folder)
    assert "99.00 %" in (told := capsys.readouterr().out)
    assert "98.00 %" in told


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (["model=dense,mlp", "seed=0,1,2"], 6),
        (["model=dense", "seed=range(0,5)"], 5),
        (["model=glob(*_cnn)"], len([name for name in ARCHITECTURES if name.endswith("_cnn")])),
        (["model=dense"], 1),
        (["recipe.l2=interval(0,1)"], None),
    ],
)
def test_the_jobs_are_counted_before_they_start(words: list[str], jobs: int | None) -> None:
    with initialize_config_module("conf", version_base="1.3"):
        assert sweeps._count(words) == jobs


def test_a_sweep_ends_with_a_table_and_again_does_only_what_failed(
    command: Command, tmp_path: Path
) -> None:
    words = ["-m", "model=mlp,dense", "seed=0,-1,1", "data=mnist_5k", "recipe.max_epochs=1"]
    words.append("figures=false")
    done = command("experiments.run", *words)
    assert done.returncode == 1
    for lines in (
        "\njob 3 of 6: model=mlp seed=1 data=mnist_5k recipe.max_epochs=1 figures=False\n",
        "\n2 of 6 jobs are not finished:\n  model=mlp seed=-1 ",
        "\n    seed=-1: must be 0 or more\n    runs/sweeps/",
    ):
        assert lines in done.stderr
    runs = sorted((tmp_path / "runs").glob("*/record.json"))
    names = [
        f"{model}-mnist_5k-max_epochs=1-seed{seed}"
        for model in ("dense", "mlp")
        for seed in (0, 1)
    ]
    assert [path.parent.name for path in runs] == names
    (folder,) = (tmp_path / "runs/sweeps").iterdir()
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [row["network"] for row in rows] == ["dense", "mlp"]
    for row, pair in zip(rows, (runs[:2], runs[2:]), strict=True):
        found = [read(path).score("test", "accuracy") for path in pair]
        # Student's t for one degree of freedom: 12.706
        half = 12.706 * stdev(found) / 2**0.5
        names = ("runs", "accuracy", "accuracy_sd", "accuracy_low", "accuracy_high")
        numbers = [float(row[name]) for name in names]
        wanted = [2, mean(found), stdev(found), mean(found) - half, mean(found) + half]
        assert numbers == pytest.approx(wanted, abs=1e-3)
    assert "| `dense` | 7,850 | own, on MNIST-5k" in (folder / "table.md").read_text()

    written = {path: path.stat().st_mtime_ns for path in runs}
    runs[0].unlink()  # as if this one had been broken off
    again = command("experiments.run", *words)
    assert again.returncode == 1
    assert again.stderr.count("finished before -> runs/") == 3
    assert again.stderr.count("failed: seed=-1: must be 0 or more") == 2
    assert sorted((tmp_path / "runs").glob("*/record.json")) == runs
    assert [path for path in runs if path.stat().st_mtime_ns != written[path]] == runs[:1]

    hasty = command("experiments.run", *words, "fail_fast=true")
    assert hasty.returncode == 1
    (last,) = (
        set((tmp_path / "runs/sweeps").iterdir())
        - {folder}
        - {
            each
            for each in (tmp_path / "runs/sweeps").iterdir()
            if "not run" not in outcomes(each)
        }
    )
    assert outcomes(last) == ["finished before", "failed", *["not run"] * 4]


def test_a_sweep_elsewhere_keeps_its_means_beside_its_runs(
    command: Command, tmp_path: Path
) -> None:
    words = ["-m", "model=dense", "seed=0,1", "data=mnist_5k", "recipe.max_epochs=1"]
    done = command("experiments.run", *words, "figures=false", "hydra.sweep.dir=here")
    assert done.returncode == 0, done.stderr
    names = [f"dense-mnist_5k-max_epochs=1-seed{seed}" for seed in (0, 1)]
    mean = "dense-mnist_5k-max_epochs=1-mean"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted([*names, mean])
    assert (tmp_path / "here/table.md").is_file()


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_run_jobs_side_by_side_on_one_thread_each(
    launcher: str, command: Command, tmp_path: Path
) -> None:
    words = ["-m", f"launcher={launcher}", "model=dense", "seed=0,1", "data=mnist_5k"]
    done = command("experiments.run", *words, "recipe.max_epochs=1", "figures=false")
    assert done.returncode == 0, done.stderr
    names = [f"dense-mnist_5k-max_epochs=1-seed{seed}" for seed in (0, 1)]
    records = [read(tmp_path / "runs" / name) for name in names]
    assert [record.config["trainer.threads"] for record in records] == [1, 1]
    assert {record.device for record in records} == {"cpu, 1 thread"}
    (sweep,) = (tmp_path / "runs/sweeps").iterdir()
    assert outcomes(sweep) == ["finished", "finished"]
    assert (sweep / "table.md").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    jobs = [path.name for path in sweep.glob("submitit/*")]
    assert len(jobs) == (2 if launcher == "submitit_local" else 0)
    assert all(job.isdecimal() for job in jobs)


@pytest.mark.parametrize(
    ("launcher", "extra"),
    [("joblib", "joblib"), ("submitit", "submitit"), ("submitit_local", "submitit")],
)
def test_a_launcher_that_is_not_installed_is_one_line(
    launcher: str, extra: str, tmp_path: Path
) -> None:
    code = f"""
import runpy, sys
import hydra_plugins
hydra_plugins.__path__ = []  # as if there were none
sys.argv = ["run", "-m", "launcher={launcher}", "seed=0,1"]
runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: launcher={launcher}: not installed; pip install 'mnist_arch[{extra}]'\n"
    )
    assert not [*tmp_path.iterdir()]


def test_a_bug_at_the_end_hides_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hydra makes a warning of what its callbacks raise, and would leave with 0."""

    def job() -> tuple[list[Path], bool]:
        raise UserError("the data is gone")

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    folder = tmp_path / "sweep"
    sweeps.begin(folder, 2)
    sweeps.attempt(folder, 0, ["seed=0"], job)
    sweeps.attempt(folder, 1, ["seed=1"], lambda: ([tmp_path / "run"], False))
    monkeypatch.setattr(sweeps, "_show", bug)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # which is changed, and is to be as it was
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}})
    with pytest.raises(SystemExit) as left:
        sweeps.Sweep().on_multirun_end(config)
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert "1 of 2 jobs are not finished:\n  seed=0\n    the data is gone\n" in said
    assert "ZeroDivisionError" in said


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    words = ["-m", "model=dense,mlp", "data=mnist_5k", "recipe.max_epochs=1,20"]
    words = [
        sys.executable,
        "-m",
        "experiments.run",
        *words,
        "recipe.batch_size=20",
        "figures=false",
    ]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        last = (
            tmp_path
            / "runs/dense-mnist_5k-batch_size=20-max_epochs=20-seed0/checkpoints/last.ckpt"
        )
        while not last.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    (first,) = (tmp_path / "runs").glob("*/record.json")
    before = first.stat().st_mtime_ns
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "job 1 of 4" in done.stderr
    assert done.stderr.count("finished before") == 1
    assert first.stat().st_mtime_ns == before
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 4
    assert read(last.parents[1]).interrupted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs=file/runs"], "error: file/runs/sweeps/"),
        (["model=dense,lenet6"], "error: model=lenet6: no such choice; did you mean lenet5?"),
    ],
)
def test_a_mistake_in_any_job_is_one_line_before_the_first_and_leaves_nothing(
    command: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "file").touch()
    done = command("experiments.run", "-m", "seed=0,1", *words)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
