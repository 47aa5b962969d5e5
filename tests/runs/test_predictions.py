"""What a run's file of predictions must be."""

import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mnist_arch.errors import UserError
from mnist_arch.runs.predictions import read
from tests.factories import record

SCORES = np.array([[5.0] + [0.0] * 9, [0.0] * 9 + [5.0]], dtype=np.float32)
TESTED = record(1, 2, architecture="lenet5")


def test_predictions_are_the_greatest_scores_and_probabilities_the_heads(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "predictions.npz", scores=SCORES, labels=np.array([0, 1]))
    predictions = read(tmp_path, TESTED)
    assert predictions.predicted.tolist() == [0, 9]
    assert predictions.labels.tolist() == [0, 1]
    assert predictions.probabilities[0, 0].item() == pytest.approx(np.exp(5) / (np.exp(5) + 9))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"scores": SCORES}, "no readable scores"),
        ({"scores": SCORES, "labels": np.array([0, 1, 2])}, "not the 2 images of its record"),
        ({"scores": SCORES[:, :9], "labels": np.array([0, 1])}, "not the 2 images of its record"),
        ({"scores": SCORES, "labels": np.array([1, 0])}, "2 errors, but 1 in its record"),
        ({"scores": SCORES, "labels": np.array(["0", "1"])}, "no readable scores"),
        ({"scores": SCORES.astype("c8"), "labels": np.array([0, 1])}, "no readable scores"),
        ({"scores": SCORES, "labels": np.array([0, 1], "u8")}, "no readable scores"),
        ({"scores": SCORES, "labels": np.array([0, 10])}, "no scores: not all are finite"),
        (
            {"scores": np.full_like(SCORES, np.inf), "labels": np.array([0, 1])},
            "no scores: not all are",
        ),
        ({"scores": np.zeros(20_000_000, "f4"), "labels": SCORES}, "no readable .*larger than 50"),
    ],
)
def test_predictions_that_are_not_the_records_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "predictions.npz", **arrays)
    with pytest.raises(UserError, match=rf"predictions\.npz: {message}"):
        read(tmp_path, TESTED)


def test_a_header_that_promises_more_than_all_memory_is_not_believed(tmp_path: Path) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**13, 10)}
    with zipfile.ZipFile(tmp_path / "predictions.npz", "w") as archive:
        for name in ("scores.npy", "labels.npy"):
            with archive.open(name, "w") as part:
                np.lib.format.write_array_header_1_0(part, header)
    with pytest.raises(UserError, match="no readable scores"):
        read(tmp_path, TESTED)


def test_a_broken_file_is_refused_in_one_line_wherever_it_broke(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    np.savez_compressed(path, scores=SCORES, labels=np.array([0, 1]))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="no readable scores"):
            read(tmp_path, TESTED)
    for place in range(len(whole)):  # One bit turned: harmless, or refused.
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with suppress(UserError):
            assert read(tmp_path, TESTED).predicted.tolist() == [0, 9]
