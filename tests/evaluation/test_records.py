"""Records: whole, readable, and derived from counts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import mnist_arch
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.evaluation.records import Record, read, read_all
from mnist_arch.evaluation.report import BEGIN, END, results_table, with_table
from mnist_arch.evaluation.scoring import score

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
    }
    return Record(**values | changes)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = record(validation_images=6_000, validation_errors=60)
    written.write(tmp_path)
    assert read(tmp_path) == written
    assert read(tmp_path / "record.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


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


def test_the_table_gives_one_run_as_it_is() -> None:
    line = results_table([record()]).splitlines()[2]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "`mlp`",
        "79,510",
        "own",
        "97.59 %, loss 0.0769",
        "97.59 %",
        "241 of 10,000",
        "0.0769",
        "1",
        "5",
        "20, cpu, 2 threads",
    ]


def test_the_table_gives_mean_and_sample_sd_over_seeds() -> None:
    """100, 200, 300 errors: accuracy 98 % with sd 1 %, errors 200 with sd 100."""
    records = [record(seed=n, test_errors=100 * n) for n in (1, 2, 3)]
    line = results_table(records).splitlines()[2]
    assert "| 98.00 ± 1.00 % | 200.0 ± 100.0 of 10,000 | 0.0769 ± 0.0000 | 3 |" in line


def test_other_data_recipes_and_arithmetic_have_rows_of_their_own_that_say_so() -> None:
    records = [
        record(),
        record(recipe="modern", claim=None),
        record(data="mnist_5k", data_title="MNIST-5k", test_images=500),
        record(architecture="dense", recipe="dense", note="assumed"),
        replace(record(), precision="bf16-mixed"),
    ]
    lines = results_table(records).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:7]] == ["`dense`", *["`mlp`"] * 4]
    recipes = [line.split("|")[3].strip() for line in lines[2:7]]
    assert sorted(recipes) == ["modern", "own", "own (1)", "own, bf16-mixed", "own, on MNIST-5k"]
    assert lines[-1] == "1. assumed"


def test_a_claim_on_validation_digits_is_called_that() -> None:
    claim = {"test_accuracy": None, "validation_accuracy": 97.93, "test_loss": None}
    assert "| 97.93 % on validation |" in results_table([record(claim=claim)])


def test_a_page_keeps_what_stands_around_its_table() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_table(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(UserError, match="to write between"):
        with_table("no markers", "new")


def test_the_readmes_table_is_made_from_the_committed_records() -> None:
    root = Path(mnist_arch.__file__).parent.parent
    readme, records = (root / "README.md").read_text(), read_all(root / "results")
    assert records
    assert with_table(readme, results_table(records)) == readme


def test_scores_are_counted_by_digit() -> None:
    """A network that always reads 3: every other digit is an error."""

    class Three(mnist_arch.models.Network):
        head = mnist_arch.models.heads.Softmax()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.eye(10)[3].repeat(len(images), 1)

    digits = torch.tensor([3, 3, 1, 9, 9, 9])
    images = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    scored = score(Three(), [Split(images[:4], digits[:4]), Split(images[4:], digits[4:])])
    assert scored.errors == 4
    assert scored.errors_by_digit == [0, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert scored.confusion[9] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert scored.digits.equal(digits)
    expected = torch.nn.functional.cross_entropy(torch.eye(10)[3].repeat(6, 1).double(), digits)
    assert scored.loss == pytest.approx(expected.item(), rel=1e-12)
