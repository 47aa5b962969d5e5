"""Records: written atomically, readable, and refused when they are not what they say."""

import base64
import json
import os
from pathlib import Path

import pytest

from mnist_arch.errors import UserError
from mnist_arch.runs import records
from mnist_arch.runs.records import Record, read, read_all
from tests.factories import record, scores, untested


def test_what_was_written_is_read(tmp_path: Path) -> None:
    for written in (record(), untested(variant={"recipe.max_epochs": 3}, label="short")):
        written.write(tmp_path)
        assert read(tmp_path) == read(tmp_path / "record.json") == written
        assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_field_with_a_default_may_be_missing_from_an_older_file(tmp_path: Path) -> None:
    record(seed=4).write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    del values["interrupted"], values["label"]
    (tmp_path / "record.json").write_text(json.dumps(values))
    assert read(tmp_path) == record(seed=4)


def test_a_metric_that_an_older_record_does_not_have_is_none() -> None:
    assert record(95).score("test", "accuracy") == 99.05
    assert record().score("test", "brier") is None
    assert record().score("validation", "accuracy") is None


def test_a_run_is_judged_by_the_split_that_is_farthest_from_its_training() -> None:
    assert (record().judging_split, record().tested) == ("test", True)
    assert (untested().judging_split, untested().tested) == ("validation", False)
    alone = record(images={"train": 5}, scores={"train": {"errors": 1}}, confusion=None)
    assert (alone.judging_split, alone.tested) == ("train", False)


def test_errors_of_each_label_are_what_is_off_the_diagonal() -> None:
    assert record([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]).errors_by_label == [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    assert untested().errors_by_label == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable record"),
        ("{", "not a readable record"),
        ("[]", "not a record of version 2"),
        ('{"version": 2}', "not a record of version 2"),
        ('{"version": 1}', "not a record of version 2"),
    ],
)
def test_a_broken_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("value", [None, 7, {}, {"command": "x", "nothing": 1}])
def test_a_record_without_its_provenance_is_named(tmp_path: Path, value: object) -> None:
    record().write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(values | {"provenance": value}))
    with pytest.raises(UserError, match="not a readable record"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "x"}, r"\(seed: str\?\)"),
        ({"seed": True}, r"\(seed: bool\?\)"),
        ({"architecture": {"mlp": 1}}, r"\(architecture: dict\?\)"),
        ({"history": {"train/loss": [0.1, "x"]}}, r"\(history: dict\?\)"),
        ({"scores": {"train": 1, "test": 2}}, r"\(scores: dict\?\)"),
        ({"confusion": [[1, 2], 3]}, r"\(confusion: list\?\)"),
        ({"seed": -1}, "contradicts itself: seed -1"),
        ({"kept_epoch": 9}, "contradicts itself: seed 0, epoch 9 of 5"),
        ({"seed": 2**70}, r"\(seed: int\?\)"),
        ({"label": "\ud800"}, r"\(label: str\?\)"),
        ({"config": {"a": ["\ud800"]}}, r"\(config: dict\?\)"),
        ({"config": {"a": [[[[[[[[[[[1]]]]]]]]]]]}}, "nested too deeply"),
        ({"architecture": "mpl"}, "no network 'mpl'; did you mean mlp"),
        ({"variant": {"recipe.loss._target_": 3}}, "its variant builds what has no name"),
        ({"history": {"train/loss": [0.1] * 6}}, "its history is not of 5 epochs"),
        ({"history": {"train/loss": [0.1] * 4}}, "its history is not of 5 epochs"),
        ({"scores": {"train": scores(0, 60_000), "test": {}}}, "no accuracy, errors or loss"),
        ({"scores": {"train": scores(0, 60_000), "test": scores(-1, 10_000)}}, "-1 errors of"),
        (
            {"scores": {"train": {**scores(9, 60_000), "accuracy": 99}, "test": scores(1, 9)}},
            "its train accuracy is not that of 9 errors",
        ),
        ({"confusion": [[0] * 10] * 9}, "its confusion matrix does not count its test images"),
        ({"confusion": [[1] * 10] * 10}, "its confusion matrix does not count its test images"),
        ({"images": {"train": 60_000, "test": 0}}, "its scores are not of splits with images"),
        ({"images": {"train": 60_000}}, "its scores are not of splits with images"),
    ],
)
def test_a_record_that_cannot_be_is_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    record().write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(values | changes))
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_what_is_endless_deep_or_no_number_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for text in (
        "[" * 100_000,
        '{"version": 2, "seed": NaN}',
        '{"version": 2, "seed": -Infinity}',
        '{"version": 2, "seed": ' + "9" * 5_000 + "}",
    ):
        path.write_text(text)
        with pytest.raises(UserError, match="not a readable record"):
            read(path)
    path.unlink()
    os.mkfifo(path)
    for each in (path, Path("/dev/zero")):
        with pytest.raises(UserError, match="not a file"):
            read(each)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(UserError, match="not a readable record"):
        read(path)


def test_what_a_page_raises_of_a_record_names_the_record() -> None:
    for error in (KeyError("a"), TypeError("b"), ZeroDivisionError("c")):
        with (
            pytest.raises(UserError, match=r"a\.json: not a record that makes a page"),
            records.blamed(Path("a.json")),
        ):
            raise error
    with pytest.raises(UserError, match=r"^its own$"), records.blamed(Path("a.json")):
        raise UserError("its own")


def test_all_records_below_a_folder_are_read(tmp_path: Path) -> None:
    for seed in (1, 0):
        (tmp_path / f"mlp-seed{seed}").mkdir()
        record(seed=seed).write(tmp_path / f"mlp-seed{seed}")
    (tmp_path / "unfinished").mkdir()
    assert [each.seed for each in read_all(tmp_path)] == [0, 1]


def test_every_committed_record_is_whole() -> None:
    """Counts add up, accuracies follow from them, and every test says which images it missed."""
    results = Path(__file__).parents[2] / "results"
    folders = (results, *(results / name for name in ("folds", "devices", "search")))
    records: list[Record] = [each for folder in folders for each in read_all(folder)]
    assert len(records) > 100
    for each in records:
        for split, values in each.scores.items():
            images = each.images[split]
            assert values["accuracy"] == 100 * (images - values["errors"]) / images
        if each.tested:
            assert sum(each.errors_by_label) == each.score("test", "errors")
            assert sum(map(sum, each.confusion or [])) == each.images["test"]
            assert each.misclassified, each.provenance.command


def test_a_mask_is_packed_eight_flags_to_a_byte() -> None:
    flags = [True] + 7 * [False] + [False, True]
    assert records.mask(flags) == base64.b64encode(bytes([0b10000000, 0b01000000])).decode()
    assert records.unmasked(records.mask(flags), 10).tolist() == flags


@pytest.mark.parametrize(
    "misclassified",
    [
        records.mask([True] * 2 + [False] * 9998),  # two, and the score says three
        records.mask([True] * 3),  # of another number of images
        "not base64",
        7,
    ],
)
def test_a_mask_that_contradicts_its_record_is_refused(
    tmp_path: Path, misclassified: object
) -> None:
    run = record(3)
    run.write(tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    values["misclassified"] = records.mask([True] * 3 + [False] * 9997)
    records.write_values(tmp_path / "record.json", values)
    assert records.read(tmp_path).misclassified_images.sum() == 3
    records.write_values(tmp_path / "record.json", values | {"misclassified": misclassified})
    with pytest.raises(UserError, match=r"record\.json"):
        records.read(tmp_path)
