"""`python -m experiments.reproduce`: from settings to committed records."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import reproduce
from mnist_arch.runs.records import read
from tests.factories import record

Command = Callable[..., subprocess.CompletedProcess[str]]
WORDS = ["data=mnist_5k", "recipe.max_epochs=1", "figures=false"]
NAMES = [f"{model}-mnist_5k-max_epochs=1-seed{n}" for n in (0, 1) for model in ("dense", "mlp")]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in the working directory; returns the folder of its records."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def test_every_network_is_run_once_before_any_is_twice_and_its_record_kept(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce.measure(["dense", "mlp"], [0, 1], WORDS) is True
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("job")] == [
        f"job {number} of 4: model={model} seed={seed} {' '.join(WORDS)}"
        for number, (seed, model) in enumerate(
            ((0, "dense"), (0, "mlp"), (1, "dense"), (1, "mlp")), start=1
        )
    ]
    assert sorted(path.stem for path in results.iterdir()) == sorted(NAMES)
    for name in NAMES:
        run = results.parent / "runs" / name / "record.json"
        assert (results / f"{name}.json").read_bytes() == run.read_bytes()
    assert read(results / f"{NAMES[3]}.json").seed == 1

    # Records that got lost come back from the finished runs; one that is not finished is run.
    written = {path: path.stat().st_mtime_ns for path in results.glob("../runs/*/record.json")}
    (results / f"{NAMES[0]}.json").unlink()
    (lost,) = (path for path in written if path.parent.name == NAMES[1])
    lost.unlink()
    assert reproduce.measure(["dense", "mlp"], [0, 1], WORDS) is True
    assert capsys.readouterr().err.count("finished before") == 3
    assert [path for path in written if path.stat().st_mtime_ns != written[path]] == [lost]
    assert sorted(path.stem for path in results.iterdir()) == sorted(NAMES)


def test_the_time_left_follows_from_the_committed_records(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, seconds in enumerate((3600, 7200)):
        (results / f"{seed}").mkdir()
        record(seed=seed, seconds={"training": seconds}).write(results / f"{seed}")
    assert reproduce.measure(["mlp"], [0, 1], ["recipe.optimizer.lr=-1"]) is False
    err = capsys.readouterr().err
    # Two runs of five epochs, an hour and a half on average, of which each fails in no time.
    times = [line for line in err.splitlines() if line.startswith("about")]
    assert times == [
        f"about {time} left, as the last runs took" for time in ("3:00:00", "1:30:00")
    ]
    assert "2 of 2 jobs are not finished" in err
    assert (
        reproduce.measure(["mlp"], [0], ["recipe.optimizer.lr=-1", "recipe.max_epochs=1"]) is False
    )
    assert "about 0:18:00 left" in capsys.readouterr().err
    assert len(list(results.iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "lenet6"], "--models lenet6: no such network; did you mean lenet5?"),
        (
            ["--seeds", "10"],
            "--seeds 10: must be a range, as in 0..9, or a list, as in 0,3,5",
        ),
        (["recipe.max_epoch=1"], "no setting 'recipe.max_epoch'; did you mean max_epochs?"),
        (["recipe=modern"], "recipe=modern: claims are judged by runs that leave recipe as it is"),
        (["+seed=4"], "+seed=4: claims are judged by runs that leave seed as it is"),
    ],
)
def test_a_mistake_is_one_line(
    command: Command, results: Path, words: list[str], message: str
) -> None:
    (results.parent / "README.md").touch()
    done = command("experiments.reproduce", *words)
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
    assert not (results.parent / "runs").exists()


def test_elsewhere_it_says_where_to_call_it(command: Command) -> None:
    done = command("experiments.reproduce", "--from-records")
    assert done.returncode == 2
    assert done.stderr.endswith("call it in the project's folder\n")
