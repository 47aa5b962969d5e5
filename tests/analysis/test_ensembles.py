"""Averaged probabilities, by hand."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_arch.analysis.ensembles import Ensemble, average, read_all
from mnist_arch.errors import UserError
from mnist_arch.runs.records import read_as
from tests.factories import record, scores

LABELS = np.array([0, 1, 2])


def run(folder: Path, architecture: str, rows: list[list[float]], **changes: object) -> Path:
    """A finished run that scored three images; scores not given are -100."""
    folder.mkdir()
    whole = np.full((3, 10), -100.0, dtype=np.float32)
    whole[:, : len(rows[0])] = rows
    errors = int((whole.argmax(1) != LABELS).sum())
    record(errors, 3, architecture=architecture, **changes).write(folder)
    np.savez_compressed(folder / "predictions.npz", scores=whole, labels=LABELS)
    return folder


def test_softmax_probabilities_are_averaged(tmp_path: Path) -> None:
    """Log-probabilities in, so that the averages are plain: .55 .45, .6 .4, and .5 of nothing."""
    log = math.log
    one = run(
        tmp_path / "one",
        "lenet5",
        [[log(0.9), log(0.1), -100], [log(0.8), log(0.2), -100], [-100, log(0.5), log(0.5)]],
    )
    two = run(
        tmp_path / "two",
        "tanh_cnn",
        [[log(0.2), log(0.8), -100], [log(0.4), log(0.6), -100], [-100, log(0.1), log(0.9)]],
    )
    ensemble = average([one, two], "a command")
    assert ensemble.errors == 1  # the 1, taken for a 0 by .6 against .4
    assert ensemble.errors_by_digit == [0, 1] + [0] * 8
    assert ensemble.images == 3
    expected = -(log(0.55) + log(0.4) + log(0.7)) / 3
    assert ensemble.loss == pytest.approx(expected, rel=1e-6)
    assert [member["architecture"] for member in ensemble.members] == ["lenet5", "tanh_cnn"]


def test_sigmoids_count_no_more_than_a_softmax(tmp_path: Path) -> None:
    """Ten sigmoids of .9, .9 and .9 are a third each beside a softmax."""
    logit, log = math.log(0.9 / 0.1), math.log
    sigmoid = run(tmp_path / "s", "mlp", [[logit] * 3] * 3)
    softmax = run(tmp_path / "t", "lenet5", [[log(0.1), log(0.1), log(0.8)]] * 3)
    ensemble = average([sigmoid, softmax], "")
    shares = [(1 / 3 + p) / 2 for p in (0.1, 0.1, 0.8)]
    assert ensemble.loss == pytest.approx(-sum(map(log, shares)) / 3, rel=1e-6)


def test_a_member_far_from_every_digit_has_no_say(tmp_path: Path) -> None:
    """Half of RBF penalties of 2,000: exp(-1,000) is 0 in any floating point."""
    far = run(tmp_path / "far", "lenet5_1998", [[-2000.0] * 10] * 3)
    near = run(tmp_path / "near", "lenet5", [[0.0, 0, 0]] * 3)
    ensemble = average([far, near], "")
    assert ensemble.loss == pytest.approx(math.log(6), rel=1e-6)


def test_runs_that_left_the_test_images_unread_are_judged_on_validation(tmp_path: Path) -> None:
    """One takes the 0 for a 1, the other knows it, and is surer."""

    def unread(name: str, zero: list[float], split_digest: str = "a") -> Path:
        return run(
            tmp_path / name,
            "lenet5",
            [zero, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            images={"validation": 3},
            scores={"validation": scores(int(zero[0] < zero[1]), 3)},
            confusion=None,
            split_digest=split_digest,
        )

    runs = [unread("mistaken", [0.0, 1.0, 0.0]), unread("right", [9.0, 0.0, 0.0])]
    ensemble = average(runs, "")
    assert (ensemble.split, ensemble.images, ensemble.errors) == ("validation", 3, 0)
    assert [member["errors"] for member in ensemble.members] == [1, 0]
    tested = run(tmp_path / "tested", "lenet5", [[0.0, 0.0, 1.0]] * 3)
    elsewhere = unread("elsewhere", [9.0, 0.0, 0.0], split_digest="b")
    for other in (tested, elsewhere):
        message = f"{other.name}: not judged on the validation images of .*mistaken"
        with pytest.raises(UserError, match=message):
            average([*runs, other], "")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    runs = [run(tmp_path / name, "mlp", [[1.0, 2.0, 3.0]] * 3) for name in "ab"]
    ensemble = average(runs, "a command")
    ensemble.write(tmp_path / "ensemble.json")
    assert read_as(Ensemble, tmp_path / "ensemble.json") == ensemble


def test_test_and_validation_records_are_read_apart(tmp_path: Path) -> None:
    runs = [run(tmp_path / name, "mlp", [[1.0, 2.0, 3.0]] * 3) for name in "ab"]
    tested = average(runs, "")
    candidate = replace(tested, split="validation")
    (tmp_path / "records").mkdir()
    tested.write(tmp_path / "records/tested.json")
    candidate.write(tmp_path / "records/candidate.json")
    assert read_all(tmp_path / "records") == ([tested], [candidate])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "train"}, "no split 'train'"),
        ({"members": []}, "fewer than two members"),
        ({"errors": 3}, "errors by digit, errors and images"),
        ({"images": 1}, "errors by digit, errors and images"),
    ],
)
def test_a_record_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    runs = [run(tmp_path / name, "mlp", [[1.0, 2.0, 3.0]] * 3) for name in "ab"]
    (tmp_path / "records").mkdir()
    replace(average(runs, ""), **changes).write(tmp_path / "records/one.json")
    with pytest.raises(UserError, match=rf"one\.json: contradicts itself: {message}"):
        read_all(tmp_path / "records")


def test_what_cannot_be_averaged_is_named(tmp_path: Path) -> None:
    one = run(tmp_path / "one", "mlp", [[1.0]] * 3)
    other = run(tmp_path / "other", "mlp", [[1.0]] * 3, provenance={"data_sha256": {"t10k": "b"}})
    broken = run(tmp_path / "broken", "mlp", [[1.0]] * 3)
    (broken / "predictions.npz").write_bytes(b"PK")
    for folders, message in (
        ([one], "needs two or more runs, each of them once"),
        ([one, one], "needs two or more runs, each of them once"),
        ([one, tmp_path / "nowhere"], "nowhere.*: not a readable record"),
        ([one, other], "other: not judged on the test images of .*one"),
        ([one, broken], "broken/predictions.npz: no readable scores"),
    ):
        with pytest.raises(UserError, match=message):
            average(folders, "")
