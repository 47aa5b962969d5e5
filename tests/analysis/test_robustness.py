"""Errors on corrupted digits, counted a second way, and records that survive a broken test."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import mnist_arch
from mnist_arch.analysis import robustness
from mnist_arch.analysis.corruptions import CORRUPTIONS, SWEEPS, Corruption, inversion, rotation
from mnist_arch.analysis.robustness import Robustness, averaged, measure, pairs, read_all
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.reports.figures.robustness import corruption_panels
from mnist_arch.runs import records
from mnist_arch.runs.records import read_as
from tests.reports.test_results import RESULTS
from tests.runs.test_records import record

AUGMENTED = {"augmentation": "RandomAffine"}
ROOT = Path("nowhere")  # mnist_5k needs no folder


def run(folder: Path, architecture: str = "dense", **changes: Any) -> Path:
    """A finished run on mnist_5k, its weights as they are drawn."""
    (folder / "checkpoints").mkdir(parents=True)
    weights = mnist_arch.build(architecture).state_dict()
    card = {"mnist_arch": {"architecture": architecture}}
    card["state_dict"] = {f"net.{name}": value for name, value in weights.items()}
    torch.save(card, folder / "checkpoints/last.ckpt")
    values = {"data": "mnist_5k", "data_sha256": sources.load("mnist_5k", ROOT).sha256}
    values |= {"config": {}, "checkpoint": "checkpoints/last.ckpt"}
    values |= {"test_images": 500, "test_errors": 444}
    record(architecture=architecture, recipe=architecture, **values | changes).write(folder)
    return folder


@pytest.fixture
def two_corruptions(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {
        "rotation": Corruption("rotation, degrees", rotation, (90, 180)),
        "inversion": Corruption("inversion, share", inversion, (1,), neutral=0.25),
    }
    monkeypatch.setattr(robustness, "CORRUPTIONS", few)


@pytest.mark.usefixtures("two_corruptions")
def test_errors_are_those_of_the_corrupted_test_digits(tmp_path: Path) -> None:
    folders = [run(tmp_path / name, name) for name in ("dense", "mlp")]
    paths = measure(folders, tmp_path / "out", ROOT)
    assert paths == [tmp_path / "out/dense.json", tmp_path / "out/mlp.json"]
    images, digits = sources.load("mnist_5k", ROOT).test
    for folder, path in zip(folders, paths, strict=True):
        net = mnist_arch.load(folder)
        with torch.no_grad():
            inverted, turned = (
                int((net(seen).argmax(1) != digits).sum())
                for seen in (255 - images.float(), images.flip(2, 3))
            )
        found = read_as(Robustness, path)
        assert found.errors["inversion"] == [[0.25, 444], [1, inverted]]
        assert [strength for strength, _ in found.errors["rotation"]] == [0, 90, 180]
        assert found.errors["rotation"][0][1] == 444
        assert abs(found.errors["rotation"][2][1] - turned) <= 1  # of 500: sampled, not flipped
        assert found.accuracies["inversion"] == {0.25: 11.2, 1: 100 * (500 - inverted) / 500}
        assert found.command == f"python -m experiments.robustness {folder}"


@pytest.mark.usefixtures("two_corruptions")
def test_a_test_that_was_broken_off_goes_on_and_ends_with_the_same_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [run(tmp_path / name, name) for name in ("dense", "mlp")]
    whole = [read_as(Robustness, path) for path in measure(folders, tmp_path / "whole", ROOT)]
    calls, score = [], robustness.score

    def broken(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 6:  # two turns of two networks, then the second's inversion
            raise KeyboardInterrupt
        return score(*arguments)

    monkeypatch.setattr(robustness, "score", broken)
    with pytest.raises(KeyboardInterrupt):
        measure(folders, tmp_path / "out", ROOT)
    assert [[*each.errors] for each in read_all(tmp_path / "out")] == [["rotation"]] * 2
    for expected in (8, 8, 14):  # two tests were left; then none; then all six, as asked
        again = expected == 14
        paths = measure(folders, tmp_path / "out", ROOT, again=again)
        assert [read_as(Robustness, path) for path in paths] == whole
        assert len(calls) == expected


@pytest.mark.usefixtures("two_corruptions")
def test_what_was_tested_at_other_strengths_is_tested_again(tmp_path: Path) -> None:
    folder = run(tmp_path / "dense")
    (path,) = measure([folder], tmp_path, ROOT)
    whole = read_as(Robustness, path)
    stale = whole.errors | {"inversion": [[0.25, 444], [0.9, 7]], "gone": [[0, 444], [1, 5]]}
    replace(whole, errors=stale).write(path)
    measure([folder], tmp_path, ROOT)
    assert read_as(Robustness, path) == whole


@pytest.mark.usefixtures("two_corruptions")
def test_what_cannot_be_tested_is_named_and_nothing_written(tmp_path: Path) -> None:
    one = run(tmp_path / "one")
    same = run(tmp_path / "elsewhere/one")
    unread = run(tmp_path / "unread", test_errors=None, test_images=None)
    other = run(tmp_path / "other", data_sha256={"t10k": "b"})
    lost = run(tmp_path / "lost")
    (lost / "checkpoints/last.ckpt").write_bytes(b"")
    out = tmp_path / "out"
    for folders, message in (
        ([one, tmp_path / "nowhere"], "nowhere.*: not a readable record"),
        ([one, same], "each run needs a name of its own"),
        ([one, unread], r"unread: was not to read the test digits \(test=false\)"),
        ([one, other], "other: not tested on the digits of .*one"),
        ([other], "other: not tested on the MNIST-5k that is in nowhere"),
        ([one, lost], "lost/checkpoints/last.ckpt: not a readable checkpoint"),
    ):
        with pytest.raises(UserError, match=message):
            measure(folders, out, ROOT)
        assert not out.exists()
    measure([one], out, ROOT)
    with pytest.raises(UserError, match=r"one\.json: of another run than .*; --again replaces it"):
        measure([run(tmp_path / "later/one", seed=5)], out, ROOT)
    (out / "one.json").write_text("{")
    with pytest.raises(UserError, match=r"one\.json: not a readable record"):
        read_all(out)


def made_up(name: str, errors: float, **changes: Any) -> Robustness:
    run = {"architecture": name, "recipe": name, "variant": [], "seed": 0, "augmentation": None}
    return Robustness(
        command="",
        data="mnist",
        data_sha256={},
        run=run | changes,
        test_images=10_000,
        errors={"shift": [[0, 100], [2, errors]], "gone": [[0, 1]]},
        versions={},
        commit=None,
        dirty=None,
    )


def test_runs_are_averaged_over_their_seeds_only() -> None:
    found = averaged(
        [
            made_up("lenet5", 300),
            made_up("mlp", 2_000, recipe="modern", augmentation="RandomAffine"),
            made_up("mlp", 1_000, seed=1),
            made_up("mlp", 2_000),
            made_up("mlp", 3_000, variant=["recipe.l2=0.1"]),
        ]
    )
    assert [(each.title, each.runs, each.augmented) for each in found] == [
        ("lenet5", 1, False),
        ("mlp", 2, False),
        ("mlp, modern", 1, True),
        ("mlp, recipe.l2=0.1", 1, False),
    ]
    assert found[1].accuracies == {"shift": {0: 99, 2: 85}}
    assert [each.is_convolutional for each in found] == [True, False, False, False]


def test_data_sets_are_not_averaged() -> None:
    fashion = replace(made_up("mlp", 9_000), data="fashion_mnist")
    found = [made_up("mlp", 1_000), fashion]
    assert [each.accuracies["shift"][2] for each in averaged(found)] == [90]
    assert [each.accuracies["shift"][2] for each in averaged(found, "fashion_mnist")] == [10]


def test_pairs_differ_in_their_distortions_alone() -> None:
    """The recipe, the precision and every other setting are the same on both sides."""
    plain, distorted = {"variant": []}, {"variant": ["experiment=distorted"], **AUGMENTED}
    found = averaged(
        [
            made_up("mlp", 1, **plain),
            made_up("mlp", 2, **distorted),
            made_up("mlp", 3, recipe="modern", **AUGMENTED),
            made_up("lenet5", 4, **plain),
            made_up("lenet5", 5, variant=["experiment=distorted", "bf16-mixed"], **AUGMENTED),
            made_up("augmented_cnn", 6, variant=["bf16-mixed"], **AUGMENTED),
            made_up("augmented_cnn", 7, variant=["recipe.augmentation=null", "bf16-mixed"]),
        ]
    )
    titles = [(one.title, other.title) for one, other in pairs(found)]
    assert titles == [
        ("mlp", "mlp, experiment=distorted"),
        ("augmented_cnn, recipe.augmentation=null, bf16-mixed", "augmented_cnn, bf16-mixed"),
    ]


def test_every_network_has_a_line_of_its_own_in_the_column_of_its_training() -> None:
    sizes = {name: mnist_arch.build(name).parameter_count for name in mnist_arch.architectures()}
    names = sorted(sizes, key=lambda name: sizes[name])
    distorted = AUGMENTED | {"variant": ["experiment=distorted"]}
    found = averaged(
        [made_up(name, 1_000) for name in names]
        + [made_up(name, 500, **distorted) for name in names]
        + [made_up(name, 200, recipe="modern", **AUGMENTED) for name in names[:3]]
    )
    figure = corruption_panels(found, SWEEPS, "title")
    place = 3 * [*SWEEPS].index("shift")
    shift = figure.axes[place : place + 3]
    assert [len(axes.lines) for axes in shift] == [len(names), len(names), 3]
    for axes, errors in zip(shift, (10, 5, 2), strict=True):
        for line in axes.lines:
            assert line.get_xydata().tolist() == [[0, 99], [2, 100 - errors]]
        styles = [(each.get_color(), each.get_marker()) for each in axes.lines]
        assert len({color for color, _ in styles}) == len(styles)
        assert len({marker for _, marker in styles}) == len(styles)
        assert (
            styles
            == [(line.get_color(), line.get_marker()) for line in shift[0].lines][: len(styles)]
        )
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*names]
    titles = [each.title for each in SWEEPS.values()]
    assert [axes.get_xlabel() for axes in figure.axes[1:21:3]] == titles
    said = ["as they are", "else the same", "modern recipe"]
    assert all(word in axes.get_title() for word, axes in zip(said, figure.axes, strict=False))


def test_committed_records_are_of_committed_runs_and_of_one_set_of_corruptions() -> None:
    runs = {each.command: each for each in records.read_all(RESULTS)}
    found = read_all(RESULTS / "robustness")
    assert found
    for each in found:
        assert not each.dirty, each.command
        run = runs[each.run["command"]]
        for name in ("architecture", "recipe", "seed", "commit", "test_errors"):
            assert each.run[name] == getattr(run, name), each.command
        assert each.data_sha256 == run.data_sha256
        assert each.test_images == run.test_images
        assert each.errors.keys() >= SWEEPS.keys()
        for name, tested in each.errors.items():
            corruption, errors = CORRUPTIONS[name], dict(map(tuple, tested))
            assert sorted(errors) == sorted((corruption.neutral, *corruption.strengths))
            assert errors[corruption.neutral] == run.test_errors
            assert all(0 <= count <= 10_000 for count in errors.values())


def test_a_record_is_one_key_a_line_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = made_up("mlp", 5)
    written.write(tmp_path / "mlp.json")
    assert read_as(Robustness, tmp_path / "mlp.json") == written
    values = json.loads((tmp_path / "mlp.json").read_text())
    del values["errors"]
    (tmp_path / "mlp.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"mlp\.json: not a record of version 1"):
        read_as(Robustness, tmp_path / "mlp.json")
