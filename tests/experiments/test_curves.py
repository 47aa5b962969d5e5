"""The figure of errors by epoch."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread
from PIL import Image

from experiments.curves import curves, figure
from mnist_arch.analysis.groups import groups
from mnist_arch.reports.figures.style import curves_digest
from mnist_arch.reports.figures.training import training_curves
from tests.factories import record, untested
from tests.reports.test_results import RESULTS

Command = Callable[..., subprocess.CompletedProcess[str]]
HISTORY = {"train/accuracy": [90.0, 99.0], "validation/accuracy": [80.0, 98.0]}
LEARNED: dict[str, Any] = {"history": HISTORY, "epochs": 2, "kept_epoch": 2}


def test_curves_are_of_the_ways_to_a_claim_with_or_without_validation_images() -> None:
    records = [
        record(**LEARNED),
        record(**LEARNED, seed=1),
        untested(**LEARNED, variant={"recipe.validation": 0.1}),
        record(**LEARNED, variant={"recipe.l2": 0.1}),
        record(**LEARNED, recipe="modern"),
        record(**LEARNED, recipe="mlp_on_pytorch"),
        record(**LEARNED, data="mnist_5k"),
        record(**LEARNED, architecture="dense"),
    ]
    assert curves(groups(records), "mlp") == {
        "recipe=mlp, 60,000 training images (2 runs)": [[10.0, 1.0]] * 2,
        "recipe=mlp, 54,000 training images (1 run)": [[10.0, 1.0]],
        "recipe=mlp, 6,000 validation images (1 run)": [[20.0, 2.0]],
        "recipe=mlp_on_pytorch, 60,000 training images (1 run)": [[10.0, 1.0]],
    }


def test_every_run_is_drawn_by_epoch_and_named_once() -> None:
    (axes,) = training_curves({"a": [[10, 1], [9, 2]], "b": [[20, 2]]}, "title").axes
    assert [line.get_xydata().tolist() for line in axes.lines] == [
        [[1, 10], [2, 1]],
        [[1, 9], [2, 2]],
        [[1, 20], [2, 2]],
    ]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    low, high = axes.get_ylim()
    assert low < 1 < 20 < high


@pytest.mark.parametrize("model", ["lenet5_1998", "tanh_cnn"])
def test_the_committed_pictures_show_the_committed_records(model: str) -> None:
    with Image.open(RESULTS.parent / f"docs/{model}.png") as png:
        assert png.info["Description"] == f"curves {curves_digest(figure(RESULTS, model))}"


def test_the_digest_tells_every_point_and_name() -> None:
    digests = {
        curves_digest(training_curves(curves, "title"))
        for curves in ({"a": [[10, 1]]}, {"a": [[10, 2]]}, {"b": [[10, 1]]}, {"a": [[10, 1, 1]]})
    }
    assert len(digests) == 4


def test_the_command_draws_runs_and_says_what_is_wrong(command: Command, tmp_path: Path) -> None:
    for name in ("mlp-seed0", "search/mlp-seed0"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    record(**LEARNED).write(tmp_path / "runs/mlp-seed0")
    # The same settings chose something by validation images, before the recipe was what it is now.
    untested(**LEARNED).write(tmp_path / "runs/search/mlp-seed0")
    done = command("experiments.curves")  # of runs/, whose only network is meant
    assert (done.returncode, done.stdout) == (0, "curves.png\n"), done.stderr
    assert imread(tmp_path / "curves.png").shape == (440, 720, 4)
    (tmp_path / "runs/tanh_cnn-seed0").mkdir()
    record(architecture="tanh_cnn", **LEARNED).write(tmp_path / "runs/tanh_cnn-seed0")
    for words, message in (
        (["--model", "lenet6"], "--model lenet6: no such network; did you mean lenet5?"),
        (["--model", "dense"], "runs: no runs of dense by a recipe with a claim there"),
        ([], "runs: of several networks; choose by --model mlp, tanh_cnn"),
        (["nowhere"], "nowhere: no records there; make one with experiments.run"),
    ):
        done = command("experiments.curves", *words)
        assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
