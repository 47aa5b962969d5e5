"""Errors on corrupted images, counted a second way, and records that survive an interruption."""

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
from tests.factories import DISTORTED, finished_run, provenance, record, untested
from tests.reports.test_results import RESULTS

AUGMENTED = {"augmentation": "RandomAffine"}
ROOT = Path("nowhere")  # mnist_5k needs no folder


def run(folder: Path, architecture: str = "dense", **changes: Any) -> Path:
    """A finished run on mnist_5k, its weights as they are drawn."""
    counted = record(444, 500)
    values = {name: getattr(counted, name) for name in ("images", "scores", "confusion")}
    values |= {"data": "mnist_5k"}
    values |= {"provenance": {"data_sha256": sources.load("mnist_5k", ROOT).sha256}}
    return finished_run(folder, architecture, **values | changes)


@pytest.fixture
def two_corruptions(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {
        "rotation": Corruption("rotation, degrees", rotation, (90, 180)),
        "inversion": Corruption("inversion, share", inversion, (1,), neutral=0.25),
    }
    monkeypatch.setattr(robustness, "CORRUPTIONS", few)


@pytest.mark.usefixtures("two_corruptions")
def test_errors_are_those_of_the_corrupted_test_images(tmp_path: Path) -> None:
    folders = [run(tmp_path / name, name) for name in ("dense", "mlp")]
    paths = measure(folders, tmp_path / "out", ROOT)
    assert paths == [tmp_path / "out/dense.json", tmp_path / "out/mlp.json"]
    images, labels = sources.load("mnist_5k", ROOT).test
    for folder, path in zip(folders, paths, strict=True):
        net = mnist_arch.load(folder)
        with torch.no_grad():
            inverted, turned = (
                int((net(changed).argmax(1) != labels).sum())
                for changed in (255 - images.float(), images.flip(2, 3))
            )
        test = read_as(Robustness, path)
        assert test.errors["inversion"] == [[0.25, 444], [1, inverted]]
        assert [strength for strength, _ in test.errors["rotation"]] == [0, 90, 180]
        assert test.errors["rotation"][0][1] == 444
        assert abs(test.errors["rotation"][2][1] - turned) <= 1  # of 500: sampled, not flipped
        assert test.accuracies["inversion"] == {0.25: 11.2, 1: 100 * (500 - inverted) / 500}
        assert test.provenance.command == f"python -m experiments.robustness {folder}"


@pytest.mark.usefixtures("two_corruptions")
def test_a_test_that_was_interrupted_is_resumed_and_ends_with_the_same_record(
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
    blank = untested()
    unread = run(tmp_path / "unread", images=blank.images, scores=blank.scores, confusion=None)
    other = run(tmp_path / "other", provenance={"data_sha256": {"t10k": "b"}})
    lost = run(tmp_path / "lost")
    (lost / "checkpoints/last.ckpt").write_bytes(b"")
    out = tmp_path / "out"
    for folders, message in (
        ([one, tmp_path / "nowhere"], "nowhere.*: not a readable record"),
        ([one, same], "each run needs a name of its own"),
        ([one, unread], r"unread: left the test images unread \(test=false\)"),
        ([one, other], "other: not tested on the images of .*one"),
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
    run = {"architecture": name, "recipe": name, "seed": 0, "precision": "32-true"}
    run |= {"variant": {}, "label": "", "augmentation": None}
    return Robustness(
        data="mnist",
        run=run | changes,
        test_images=10_000,
        errors={"shift": [[0, 100], [2, errors]], "gone": [[0, 1]]},
        provenance=provenance(),
    )


def test_runs_are_averaged_over_their_seeds_only() -> None:
    nets = averaged(
        [
            made_up("mlp", 300),
            made_up("lenet5", 2_000, recipe="modern", **AUGMENTED),
            made_up("lenet5", 1_000, seed=1),
            made_up("lenet5", 2_000),
            made_up("lenet5", 3_000, variant={"recipe.l2": 0.1}),
            made_up("lenet5", 3_000, variant={"recipe.l2": 0.2}, label="heavy"),
            made_up("lenet5", 3_000, precision="bf16-mixed"),
        ]
    )
    assert [(net.title, net.runs, net.augmentation) for net in nets] == [
        ("lenet5", 2, None),
        ("lenet5, heavy", 1, None),
        ("lenet5, l2=0.1", 1, None),
        ("lenet5, bf16-mixed", 1, None),
        ("lenet5, modern", 1, "RandomAffine"),
        ("mlp", 1, None),  # has more parameters
    ]
    assert nets[0].accuracies == {"shift": {0: 99, 2: 85}}
    assert sorted(nets[0].corrupted) == [80, 90]  # at the one strength that changes an image


def test_a_network_with_a_convolution_is_convolutional() -> None:
    dense = {
        net.architecture
        for net in averaged(made_up(name, 1) for name in mnist_arch.architectures())
        if not net.is_convolutional
    }
    assert dense == {"dense", "mlp"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": {}}, "its run is not described"),
        ({"test_images": 0}, "its errors are not of 0 test images"),
        ({"errors": {"noise": [[1.0]]}}, "its errors are not of"),
        ({"errors": {"noise": [[1.0, -1]]}}, "its errors are not of"),
    ],
)
def test_a_record_that_cannot_be_is_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    committed = min(Path(__file__).parents[2].glob("results/robustness/*.json"))
    values = json.loads(committed.read_text())
    (tmp_path / "a.json").write_text(json.dumps(values | changes))
    with pytest.raises(UserError, match=rf"a\.json: contradicts itself: {message}"):
        robustness.read_all(tmp_path)


def test_data_sets_are_not_averaged() -> None:
    tests = [made_up("mlp", 1_000), replace(made_up("mlp", 9_000), data="fashion_mnist")]
    assert [net.accuracies["shift"][2] for net in averaged(tests)] == [90]
    assert [net.accuracies["shift"][2] for net in averaged(tests, "fashion_mnist")] == [10]


def test_pairs_differ_in_their_augmentation_alone() -> None:
    """The recipe and every other setting are the same, and the precision where it can be."""
    distorted, bf16 = {"variant": DISTORTED, **AUGMENTED}, {"precision": "bf16-mixed"}
    elastic = {"augmentation": "ElasticAffine", "variant": {"recipe.augmentation.alpha": 34}}
    nets = averaged(
        [
            made_up("mlp", 1),
            made_up("mlp", 2, **distorted),
            made_up("mlp", 2, **elastic),
            made_up("mlp", 3, recipe="modern", **AUGMENTED),
            made_up("lenet5", 4),
            made_up("lenet5", 5, **distorted),
            made_up("lenet5", 8, **distorted, **bf16),
            made_up("tanh_cnn", 9),
            made_up("tanh_cnn", 11, **distorted, **bf16),
            made_up("augmented_cnn", 6, **AUGMENTED, **bf16),
            made_up("augmented_cnn", 7, variant={"recipe.augmentation": None}, **bf16),
        ]
    )
    assert [
        (one.accuracies["shift"][2], two.accuracies["shift"][2]) for one, two in pairs(nets)
    ] == [
        (99.91, 99.89),
        (99.96, 99.95),
        (99.99, 99.98),
        (99.93, 99.94),
    ]


def test_every_network_has_a_line_of_its_own_in_the_column_of_its_training() -> None:
    names = mnist_arch.architectures()
    nets = averaged(
        [made_up(name, 1_000) for name in names]
        + [made_up(name, 500, variant=DISTORTED, **AUGMENTED) for name in names]
        + [made_up(name, 200, recipe="modern", **AUGMENTED) for name in names[:3]]
    )
    figure = corruption_panels(nets, SWEEPS, "title")
    place = 3 * [*SWEEPS].index("shift")
    shift = figure.axes[place : place + 3]
    assert [len(axes.lines) for axes in shift] == [len(names), len(names), 3]
    looks: dict[object, set[object]] = {}
    for axes, errors in zip(shift, (10, 5, 2), strict=True):
        for line in axes.lines:
            assert line.get_xydata().tolist() == [[0, 99], [2, 100 - errors]]
            looks.setdefault(line.get_label(), set()).add((line.get_color(), line.get_marker()))
    assert {len(each) for each in looks.values()} == {1}
    assert len(set().union(*looks.values())) == len(names)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*looks]
    titles = [each.title for each in SWEEPS.values()]
    assert [axes.get_xlabel() for axes in figure.axes[1:21:3]] == titles
    words = ["without", "with augmentation", "modern recipe"]
    assert all(word in axes.get_title() for word, axes in zip(words, figure.axes, strict=False))


def test_a_training_that_no_network_had_has_no_column() -> None:
    figure = corruption_panels(averaged([made_up("mlp", 1_000)]), SWEEPS, "title")
    assert len(figure.axes) == len(SWEEPS)


def test_committed_records_are_of_committed_runs_and_of_one_set_of_corruptions() -> None:
    runs = {each.provenance.command: each for each in records.read_all(RESULTS)}
    tests = read_all(RESULTS / "robustness")
    assert tests
    for each in tests:
        assert not each.provenance.dirty, each.provenance.command
        run = runs[each.run["command"]]
        for name in robustness.RUN:
            assert each.run[name] == getattr(run, name), each.provenance.command
        assert each.run["commit"] == run.provenance.commit
        assert each.run["test_errors"] == run.scores["test"]["errors"]
        assert each.provenance.data_sha256 == run.provenance.data_sha256
        assert each.test_images == run.images["test"]
        assert each.errors.keys() >= SWEEPS.keys()
        for name, counts in each.errors.items():
            corruption, errors = CORRUPTIONS[name], dict(map(tuple, counts))
            assert sorted(errors) == sorted((corruption.neutral, *corruption.strengths))
            assert errors[corruption.neutral] == run.scores["test"]["errors"]
            assert all(0 <= count <= 10_000 for count in errors.values())


def test_a_record_is_one_key_a_line_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = made_up("mlp", 5)
    written.write(tmp_path / "mlp.json")
    assert read_as(Robustness, tmp_path / "mlp.json") == written
    values = json.loads((tmp_path / "mlp.json").read_text())
    del values["errors"]
    (tmp_path / "mlp.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"mlp\.json: not a record of version 2"):
        read_as(Robustness, tmp_path / "mlp.json")
