"""How pictures are read, measured: counts that a plain loop gives too."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mnist_arch
from experiments.reading import least_scores, measure
from mnist_arch.analysis import challenges, external
from mnist_arch.analysis.external import NO_DIGITS, STEPS, Challenge, Reading, challenge, page
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference import predictor
from mnist_arch.inference.preprocess import ALL_STEPS, prepare
from mnist_arch.runs.records import read_as
from tests.analysis.test_robustness import run

ROOT = Path(mnist_arch.__file__).parent.parent


@pytest.fixture(scope="module")
def data() -> sources.Dataset:
    """MNIST-5k with twenty test digits."""
    whole = sources.load("mnist_5k", Path("unused"))
    return replace(whole, test=Split(whole.test.images[::25], whole.test.labels[::25]))


@pytest.fixture(scope="module")
def given(data: sources.Dataset) -> Iterator[Challenge]:
    pictures, digits = external.uci()
    assert len(pictures) == len(digits) == 1797
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external, "uci", lambda: (pictures[:20], digits[:20]))
        yield challenge(data.test, no_digits=5)


def test_the_counts_are_those_of_reading_one_picture_after_the_other(
    tmp_path: Path, data: sources.Dataset, given: Challenge
) -> None:
    folder = run(tmp_path / "mlp", "mlp", config={"recipe.augmentation._target_": "some"})
    found = external.measure(folder, data, given, ablation_digits=20)
    net = mnist_arch.load(folder)
    for name, pictures in given.pictures.items():
        read = torch.tensor([net.predict(each).digit for each in pictures])
        assert found.errors[name] == int((read != given.truth[name]).sum())
    scores = net.net(data.test.images)
    wrong, doubted = scores.argmax(1) != data.test.labels, net.doubts(scores)
    assert (found.originals, found.doubted) == (int(wrong.sum()), int(doubted.sum()))
    assert found.doubted_errors == int((wrong & doubted).sum())
    assert found.accepted.keys() == {*NO_DIGITS, "two digits"}
    for name, prepared in given.no_digits.items():
        accepted = [answer.doubt is None for answer in net.answers(prepared)]
        assert found.accepted[name] == sum(accepted)
    assert (found.digits, found.uci_digits, found.no_digits, found.distorted) == (20, 20, 5, True)
    assert [*found.ablation] == ["", *STEPS]
    assert found.ablation[""].items() <= found.errors.items()
    misread: dict[str, list[int]] = {}
    for step in ("", "polarity", "background", "fit_to_box"):
        steps = replace(ALL_STEPS, **({step: False} if step else {}))
        for name in ("enlarged", "photographed", "uci"):
            answers = net.answers([prepare(each, steps) for each in given.pictures[name]])
            pairs = zip(answers, given.truth[name].tolist(), strict=True)
            errors = sum(answer.digit != digit for answer, digit in pairs)
            misread.setdefault(step, []).append(errors)
        assert [*found.ablation[step].values()] == misread[step]
    assert misread["polarity"] != misread[""]  # by chance, this network tells the steps apart


def test_a_run_on_other_digits_is_refused(
    tmp_path: Path, data: sources.Dataset, given: Challenge
) -> None:
    folder = run(tmp_path / "mlp", "mlp", data_sha256={"file": "0"})
    with pytest.raises(UserError, match="mlp: not a run on MNIST"):
        external.measure(folder, data, given)


def test_the_same_pictures_are_drawn_again(data: sources.Dataset, given: Challenge) -> None:
    again = challenge(data.test, no_digits=5)
    for name, pictures in given.pictures.items():
        for one, other in zip(pictures, again.pictures[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_coarse_levels_keep_their_ink_when_enlarged() -> None:
    """Of 8x8 levels 0..16, with a margin of one: 10x10 cells of 400 pixels."""
    levels = np.zeros((8, 8))
    levels[2:6, 3:5] = 16
    large = challenges.smoothly_enlarged(levels)
    assert large.shape == (200, 200)
    assert large[60:140, 80:120].mean() > 200
    assert large.mean() / 255 == pytest.approx(8 / 100, rel=0.03)


def test_the_page_counts_in_points_and_percent() -> None:
    errors = {"as_they_are": 90, "enlarged": 100, "photographed": 300, "uci": 180}
    found = Reading(
        command="",
        name="lenet5-seed1",
        run={"architecture": "lenet5", "recipe": "modern"},
        distorted=False,
        data_sha256={},
        digits=10_000,
        originals=85,
        errors=errors,
        uci_digits=1_797,
        doubted=600,
        doubted_errors=40,
        no_digits=200,
        accepted={"letters": 81},
        ablation_digits=500,
        ablation={"": {"enlarged": 7, "photographed": 8, "uci": 9}},
        versions={},
        commit=None,
        dirty=None,
    )
    lines = page([found]).splitlines()
    assert "| `lenet5`, modern | 99.15 % | -0.05 | -0.15 | -2.15 | no | 89.98 % |" in lines
    assert "| `lenet5`, modern | 6.0 % | 40 of 85 | 40.5 % |" in lines
    assert "| none | 7 | 8 | 9 |" in lines


def test_the_committed_page_is_what_the_committed_records_say() -> None:
    paths = sorted((ROOT / "results/reading").glob("*.json"))
    found = [read_as(Reading, path) for path in paths]
    assert (ROOT / "docs/reading.md").read_text() == page(found)
    for path, each in zip(paths, found, strict=True):
        assert not each.dirty, path
        assert path.stem == each.name


def test_a_record_of_another_run_of_that_name_is_not_taken_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = ROOT / "results/reading/lenet5-seed1.json"
    (tmp_path / "results/reading").mkdir(parents=True)
    shutil.copy(published, tmp_path / "results/reading")
    mine = run(tmp_path / "runs/lenet5-seed1", "lenet5", commit="mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"lenet5-seed1\.json: of another run than .*; rename one"):
        measure([mine], None)
    kept = read_as(Reading, published).run
    same = {"command": kept["command"], "commit": kept["commit"]}
    run(tmp_path / "published/lenet5-seed1", "lenet5", **same)
    measure([tmp_path / "published/lenet5-seed1"], None)  # nothing is left to do


def test_the_least_scores_of_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: sources.Dataset
) -> None:
    scores = tmp_path / "least_scores.json"
    scores.write_text('{"dense, dense": 1.0}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predictor, "LEAST_SCORES", scores)
    monkeypatch.setattr(sources, "load", lambda *_: data)
    config = {"recipe.validation": 0.1, "data.split_seed": 0}
    held_out = {
        "validation_images": 450,
        "validation_errors": 9,
        "data": "mnist",
        "config": config,
    }
    least_scores([run(tmp_path / "mlp", "mlp", **held_out)])
    assert json.loads(scores.read_text()).keys() == {"dense, dense", "mlp, mlp"}
    kept = scores.read_text()
    with pytest.raises(UserError, match="name the runs"):
        least_scores([])
    monkeypatch.chdir(tmp_path / "mlp")
    with pytest.raises(UserError, match="call it in the project's folder"):
        least_scores([tmp_path / "mlp"])
    assert scores.read_text() == kept
