"""Several seeds trained at once: each run is what it would have been alone."""

import csv
import itertools
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.config import compose
from mnist_arch.runs.records import Record
from mnist_arch.runs.train import Run

pytestmark = pytest.mark.usefixtures("few_to_evaluate")

SEEDS = [3, 0, 5]
QUICK = ["data=mnist_5k", "figures=false", "trainer.threads=1"]
# On a GPU a copy's dropout draws other numbers than a network's, and sums are rounded otherwise.
CPU = "trainer.accelerator=cpu"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def alone(name: str, words: list[str]) -> list[Run]:
    return [mnist_arch.train(name, seed=seed, overrides=[*words, "runs=alone"]) for seed in SEEDS]


def assert_equal(one: Record, other: Record, tolerance: float = 1e-5) -> None:
    assert one.seed == other.seed
    assert one.variant == other.variant
    assert (one.epochs, one.kept_epoch) == (other.epochs, other.kept_epoch)
    assert one.history.keys() == other.history.keys()
    for name, values in one.history.items():
        if name.endswith("/loss"):
            assert values == pytest.approx(other.history[name], rel=tolerance)
    assert one.provenance.command == other.provenance.command.replace("runs=alone", "runs=runs")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dense", ["recipe.max_epochs=2"]),
        (
            "mlp",
            [
                "recipe.max_epochs=2",
                "data.size=500",
                "recipe.keep=best",
                "trainer.gradient_clip_val=0.1",
                CPU,
            ],
        ),
        ("mlp", ["recipe.max_epochs=1", "recipe=modern"]),
        ("mlp", ["recipe.max_epochs=2", "recipe/schedule=warmup_cosine"]),
        ("dropout_cnn", ["recipe.max_epochs=2", "data.size=100", CPU]),
        ("lenet5", ["recipe.max_epochs=2", "data.size=300"]),
        ("tanh_cnn", ["recipe.max_epochs=1", "data.size=100", "recipe.optimizer.lr=1e-4", CPU]),
        ("augmented_cnn", ["recipe.max_epochs=1", "data.size=70", CPU]),
        # Adam would make steps of full length of gradients that are rounding errors: of units of
        # regularized_cnn that are hardly ever on, and of the biases before a batch normalisation.
        (
            "regularized_cnn",
            ["recipe.max_epochs=1", "data.size=70", "recipe/optimizer=sgd", CPU],
        ),
        (
            "batchnorm_cnn",
            [
                "recipe.max_epochs=1",
                "data.size=64",
                "recipe/optimizer=sgd",
                "recipe/schedule=none",
                CPU,
            ],
        ),
        ("lenet5_1998", ["recipe.max_epochs=1", "data.size=20"]),
    ],
)
def test_each_copy_ends_as_if_it_had_been_trained_alone(name: str, words: list[str]) -> None:
    """Starting weights, order, dropout, augmentation and moving statistics are its own."""
    runs = mnist_arch.train_together(name, seeds=SEEDS, overrides=[*QUICK, *words, "runs=runs"])
    for one, other in zip(runs, alone(name, [*QUICK, *words]), strict=True):
        assert one.folder.name == other.folder.name
        assert_equal(one.record, other.record, tolerance=1e-4)
        weights = other.network().state_dict()
        for key, value in one.network().state_dict().items():
            torch.testing.assert_close(value, weights[key], rtol=1e-3, atol=1e-3)
    weights = [next(run.network().parameters()) for run in runs]
    assert not weights[0].equal(weights[1])


class Break(pl.Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("broken off")


WORDS = [*QUICK, "recipe.max_epochs=3", "recipe.keep=best", "logger=csv"]


@pytest.mark.parametrize("together", [True, False])
def test_what_was_broken_off_is_resumed_together_or_alone(together: bool) -> None:
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train_together("mlp", seeds=SEEDS, overrides=WORDS, callbacks=[Break(2)])
    if together:
        runs = mnist_arch.train_together("mlp", seeds=SEEDS, overrides=WORDS)
    else:
        runs = [mnist_arch.train("mlp", seed=seed, overrides=WORDS) for seed in SEEDS]
    assert [[each["epochs"] for each in run.record.interrupted] for run in runs] == [[2]] * 3
    words = [*WORDS, "runs=straight"]
    straight = mnist_arch.train_together("mlp", seeds=SEEDS, overrides=words)
    for one, other in zip(runs, straight, strict=True):
        assert one.folder.name == other.folder.name
        assert one.record.history["train/errors"][:2] == other.record.history["train/errors"][:2]
        assert one.record.kept_epoch == other.record.kept_epoch
        for key, value in one.network().state_dict().items():
            torch.testing.assert_close(value, other.network().state_dict()[key], atol=1e-5, rtol=0)
        with (one.folder / "metrics.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["train/loss"]]
        assert [int(row["step"]) for row in rows] == [1, 2, 3]
        assert [float(row["train/loss"]) for row in rows] == one.record.history["train/loss"]


def test_copies_of_which_some_are_an_epoch_behind_are_all_brought_to_the_end() -> None:
    """A kill comes between the checkpoints of two copies, or one was trained alone before."""
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train("mlp", seed=0, overrides=WORDS, callbacks=[Break(1)])
    runs = mnist_arch.train_together("mlp", seeds=SEEDS, overrides=WORDS)
    assert [run.record.seed for run in runs] == SEEDS
    assert [len(run.record.interrupted) for run in runs] == [0, 1, 0]
    before = {run.folder: (run.folder / "record.json").read_bytes() for run in runs}
    again = mnist_arch.train_together("mlp", seeds=[*SEEDS, 7], overrides=WORDS)
    assert [run.folder for run in again[:3]] == [run.folder for run in runs]
    assert all((folder / "record.json").read_bytes() == old for folder, old in before.items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_can_be_stacked(name: str) -> None:
    from mnist_arch.training.stack import Stack

    networks = [mnist_arch.build(name).eval() for _ in range(2)]
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    for scores, network in zip(Stack(networks)(images), networks, strict=True):
        torch.testing.assert_close(scores, network(images), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_stack_changes_its_numbers_as_a_network_does(name: str) -> None:
    """What moves it to another device moves its buffers that are not trained, too."""
    from mnist_arch.training.stack import Stack

    networks = [mnist_arch.build(name).eval() for _ in range(2)]
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    scores = Stack(networks).double()(images)
    assert scores.dtype == torch.float64
    for own, network in zip(scores, networks, strict=True):
        torch.testing.assert_close(own, network.double()(images))


def test_each_copys_scoring_is_timed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that is read twice for each thing that is timed, and ticks once a reading."""
    from mnist_arch.runs import train

    monkeypatch.setattr(train.time, "perf_counter", itertools.count().__next__)
    runs = mnist_arch.train_together("dense", seeds=SEEDS, overrides=[*QUICK, "test=false"])
    assert [run.record.seconds["evaluation"] for run in runs] == [1, 1, 1]


@pytest.mark.parametrize(
    ("seeds", "expected"), [("0..3", [0, 1, 2, 3]), ("[4,0]", [4, 0]), ("7..7", [7])]
)
def test_seeds_are_a_range_with_both_ends_or_a_list(seeds: str, expected: list[int]) -> None:
    assert compose(["model=mlp", f"seeds={seeds}"]).seeds == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("seeds=[0,1,0]", "seeds=[0, 1, 0]: 0 is there twice"),
        ("seeds=[]", "seeds=[]: must be a range, as in"),
        ("seeds=5..2", "seeds=5..2: must be a range, as in"),
        ("seeds=[0,-1]", "seeds=[0, -1]: -1: must be 0 or more"),
        ("seeds=-2..1", "seeds=-2..1: -2: must be 0 or more"),
        ("seeds=many", "seeds=many: must be a range, as in"),
        ("seeds=3", "seeds=3: must be a range, as in"),
        ("seeds=0..1 trainer.devices=2", "seeds: trainer.devices must be 1; train them one"),
        ("seeds=0..1 trainer.precision=16-mixed", "seeds: trainer.precision=16-mixed scales"),
        (
            "seeds=0..1 callbacks=early_stopping recipe.validation=0.1",
            "seeds: callbacks such as early_stopping follow one run",
        ),
        (
            "seeds=0..1 recipe/optimizer=sgd recipe.optimizer._target_=torch.optim.LBFGS",
            "seeds: torch.optim.LBFGS is not known to treat",
        ),
        (
            "seeds=0..1 model=batchnorm_cnn trainer.accelerator=gpu",
            "seeds: batchnorm_cnn normalises over a batch",
        ),
    ],
)
def test_what_cannot_be_trained_together_is_one_line(
    words: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        mnist_arch.train_together(compose(["model=mlp", *QUICK, *words.split()]))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
