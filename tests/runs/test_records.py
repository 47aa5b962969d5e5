"""Records: whole, readable, and derived from counts."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.heads import Softmax
from mnist_arch.models.network import Network
from mnist_arch.runs.records import Record, read, read_all
from mnist_arch.runs.scoring import score

CLAIM = {"source": "a source", "test_accuracy": 97.59, "test_loss": 0.0769}


def record(**changes: Any) -> Record:
    """A record of a run that never was."""
    values: dict[str, Any] = dict.fromkeys(Record.__dataclass_fields__)
    values |= {
        "version": 1,
        "status": "finished",
        "architecture": "mlp",
        "recipe": "mlp",
        "data": "mnist",
        "data_title": "MNIST",
        "parameters": 79_510,
        "precision": "32-true",
        "device": "cpu, 2 threads",
        "train_images": 60_000,
        "train_errors": 600,
        "test_images": 10_000,
        "test_errors": 241,
        "test_loss": 0.0769,
        "epochs": 5,
        "seed": 0,
        "seconds_training": 20.0,
        "claim": CLAIM,
        "note": "",
        "overrides": [],
        "interrupted": [],
        "command": "python -m experiments.run model=mlp",
        "kept_epoch": 5,
    }
    return Record(**values | changes)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = record(validation_images=6_000, validation_errors=60)
    written.write(tmp_path)
    assert read(tmp_path) == written
    assert read(tmp_path / "record.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_record_from_before_runs_could_be_interrupted_is_read(tmp_path: Path) -> None:
    record(seed=4).write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    del values["interrupted"]
    (tmp_path / "record.json").write_text(json.dumps(values))
    assert read(tmp_path) == record(seed=4)


def test_accuracies_in_the_file_follow_from_the_counts(tmp_path: Path) -> None:
    record(test_errors=95).write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    assert values["test_accuracy"] == 99.05
    assert values["train_accuracy"] == 99.0
    assert values["validation_accuracy"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable record"),
        ("{", "not a readable record"),
        ("[]", "not a record of version 1"),
        ('{"version": 1}', "not a record of version 1"),
        ('{"version": 2}', "not a record of version 1"),
    ],
)
def test_a_broken_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_all_records_below_a_folder_are_found(tmp_path: Path) -> None:
    for seed in (1, 0):
        (tmp_path / f"mlp-seed{seed}").mkdir()
        record(seed=seed).write(tmp_path / f"mlp-seed{seed}")
    (tmp_path / "unfinished").mkdir()
    assert [found.seed for found in read_all(tmp_path)] == [0, 1]


def test_overrides_that_change_the_experiment_make_a_variant() -> None:
    said = ["model=mlp", "seed=3", "recipe=modern", "trainer.precision=bf16-mixed", "runs=x"]
    words = ["recipe.max_epochs=3", "+data.size=5"]
    assert record(overrides=[*said, "data=mnist", "test=false"]).variant == ()
    assert record(overrides=[*said, *words]).variant == tuple(words)


def test_scores_are_counted_by_digit() -> None:
    """A network that always reads 3: every other digit is an error."""

    class Three(Network):
        head = Softmax()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.eye(10)[3].repeat(len(images), 1)

    digits = torch.tensor([3, 3, 1, 9, 9, 9])
    images = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    scored = score(Three(), [Split(images[:4], digits[:4]), Split(images[4:], digits[4:])])
    assert scored.errors == 4
    assert scored.errors_by_digit == [0, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert scored.confusion[9] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert scored.labels.equal(digits)
    expected = torch.nn.functional.cross_entropy(torch.eye(10)[3].repeat(6, 1).double(), digits)
    assert scored.loss == pytest.approx(expected.item(), rel=1e-12)
