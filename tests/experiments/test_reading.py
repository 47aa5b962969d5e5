"""The command that measures pictures from elsewhere: what it keeps, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

import mnist_arch
from experiments.reading import least_scores, measure
from mnist_arch.analysis.external import ExternalValidity, identity
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.inference import predictor
from mnist_arch.runs import records
from mnist_arch.runs.records import read_as
from tests.factories import finished_run, untested

PUBLISHED = Path(mnist_arch.__file__).parents[1] / "results/reading/lenet5.json"


def test_a_record_of_another_run_of_that_name_is_not_taken_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results/reading").mkdir(parents=True)
    shutil.copy(PUBLISHED, tmp_path / "results/reading")
    mine = finished_run(tmp_path / "runs/lenet5", "lenet5", provenance={"commit": "mine"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"lenet5\.json: of another run than .*; rename one"):
        measure([mine], None)
    run = read_as(ExternalValidity, PUBLISHED).run
    same = {"command": run["command"], "commit": run["commit"]}
    published = finished_run(tmp_path / "published/lenet5", "lenet5", provenance=same)
    assert identity(records.read(published)) == run
    measure([published], None)  # nothing is left to do


def test_the_least_scores_of_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = tmp_path / "least_scores.json"
    scores.write_text('{"dense, dense": 1.0}')
    data = sources.load("mnist_5k", Path("unused"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predictor, "LEAST_SCORES", scores)
    monkeypatch.setattr(sources, "load", lambda *_: data)
    folder = finished_run(tmp_path / "mlp", "mlp")
    untested(config={"recipe.validation": 0.1, "data.split_seed": 0}).write(folder)
    least_scores([folder])
    assert json.loads(scores.read_text()).keys() == {"dense, dense", "mlp, mlp"}
    before = scores.read_text()
    with pytest.raises(UserError, match="holds out no digits"):
        least_scores([finished_run(tmp_path / "all", "mlp")])
    with pytest.raises(UserError, match="name the runs"):
        least_scores([])
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="call it in the project's folder"):
        least_scores([folder])
    assert scores.read_text() == before
