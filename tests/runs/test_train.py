"""`mnist_arch.train`, as a program calls it, on 5,000 real digits."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.errors import UserError
from mnist_arch.runs import train
from mnist_arch.runs.config import compose
from mnist_arch.runs.metrics import METRICS

QUICK = ["data=mnist_5k", "recipe.max_epochs=2", "figures=false", "trainer.threads=1"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Epochs(pl.Callback):
    def __init__(self, break_after: int = 0) -> None:
        self.break_after, self.seen = break_after, []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self.seen.append(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        if self.break_after and trainer.current_epoch == self.break_after:
            raise RuntimeError("broken off")


def test_the_example_of_its_docstring() -> None:
    run = mnist_arch.train("lenet5", seed=1, overrides=["recipe.max_epochs=3", *QUICK[::2]])
    assert run.folder == Path("runs/lenet5-mnist_5k-max_epochs=3-seed1")
    errors = run.record.score("test", "errors")
    test = sources.load("mnist_5k", Path("unused")).test
    predicted = run.network()(test.images).argmax(1)
    assert int((predicted != test.labels).sum()) == errors
    assert run.predictions().predicted.equal(predicted)
    assert mnist_arch.load(run.folder)(test.images).argmax(1).equal(predicted)
    assert run.record.provenance.command.endswith(
        "experiments.run model=lenet5 seed=1 recipe.max_epochs=3 data=mnist_5k figures=false"
    )
    assert [*run.record.scores["test"]] == [*METRICS]


def test_callbacks_follow_the_training_and_are_no_part_of_the_run() -> None:
    epochs = Epochs()
    run = mnist_arch.train("dense", overrides=QUICK, callbacks=[epochs])
    assert epochs.seen == [0, 1]
    assert run.record.variant == {"recipe.max_epochs": 2}
    assert "callbacks" not in " ".join(run.record.config)


def test_what_is_impossible_is_refused_before_anything_is_left(tmp_path: Path) -> None:
    for words, message in (
        (["recipe.max_epoch=3"], "no setting 'recipe.max_epoch'"),
        (["recipe.keep=best"], "recipe.keep=best: nothing is held out"),
        (["+trainer.fast_dev_run=true"], "trainer.fast_dev_run"),
        (["trainer.accelerator=mps"], "trainer.accelerator=mps: there is none here"),
        (["data.size=99999"], "data.size=99999: there are 4000 images"),
    ):
        own = ["data=mnist_5k"] if words != ["recipe.keep=best"] else [f"data.root={tmp_path}"]
        if words == ["recipe.keep=best"]:
            from tests.data.test_sources import contents, write

            write(tmp_path / "own", contents())
            own = ["data=idx", f"data.root={tmp_path / 'own'}"]
        with pytest.raises(UserError) as error:
            mnist_arch.train("mlp", overrides=[*own, *words])
        assert str(error.value).startswith(message)
        assert not Path("runs").exists()


def test_a_rehearsal_runs_and_leaves_nothing(tmp_path: Path) -> None:
    train.rehearse(compose(["model=mlp", *QUICK, "+trainer.fast_dev_run=true"]))
    assert list(tmp_path.iterdir()) == []


def test_a_network_with_arguments_is_built_with_them_again() -> None:
    run = mnist_arch.train("lenet5", overrides=["+model.activation=relu", *QUICK])
    assert run.folder.name == "lenet5-mnist_5k-activation=relu-max_epochs=2-seed0"
    assert run.record.variant["model.activation"] == "relu"
    test = sources.load("mnist_5k", Path("unused")).test
    scores, net = run.network()(test.images), mnist_arch.build("lenet5", {"activation": "relu"})
    net.load_state_dict(run.network().state_dict())
    torch.testing.assert_close(net.eval()(test.images), scores)
    errors = int((scores.argmax(1) != test.labels).sum())
    assert errors == run.record.score("test", "errors")
    again = mnist_arch.train("lenet5", overrides=["+model.activation=relu", *QUICK])
    assert again.folder == run.folder  # it is known by them
    with pytest.raises(UserError, match=r"no setting 'model\.activaton' of lenet5"):
        mnist_arch.train("lenet5", overrides=["+model.activaton=relu", *QUICK])
    assert [each.name for each in Path("runs").iterdir()] == [run.folder.name]


@pytest.mark.parametrize("alone", [True, False])
def test_a_network_that_was_trained_standardized_reads_so_from_its_files(alone: bool) -> None:
    """A dense layer's scores are linear in the pixels, so its own scaling can be worked out."""
    words = ["recipe.standardize=true", *QUICK]
    if alone:
        run = mnist_arch.train("dense", overrides=words)
    else:
        run = mnist_arch.train_together("dense", seeds=[0, 1], overrides=words)[0]
    net, images = mnist_arch.load(run.folder).net, torch.randint(0, 256, (20, 1, 28, 28)).byte()
    weights = {name: value.double() for name, value in net.state_dict().items()}
    inputs = (images.flatten(1).double() / 255 - 0.13066) / 0.30811  # as everybody has them
    expected = inputs @ weights["output.weight"].T + weights["output.bias"]
    torch.testing.assert_close(net(images).double(), expected, rtol=1e-3, atol=1e-3)
    assert run.record.variant["recipe.standardize"] is True
    test = sources.load("mnist_5k", Path("unused")).test
    errors = int((net(test.images).argmax(1) != test.labels).sum())
    assert errors == run.record.score("test", "errors")


def test_gradients_are_clipped_to_the_norm_that_is_said() -> None:
    """One step of plain gradient descent moves all weights together by at most rate x norm."""
    words = ["recipe/optimizer=sgd", "recipe.optimizer.lr=0.5", "recipe.batch_size=4000"]
    words += ["recipe.max_epochs=1", "trainer.gradient_clip_val=1e-3", *QUICK[::2]]
    run = mnist_arch.train("mlp", overrides=words)
    before = train.assemble.network(compose(["model=mlp"])).state_dict()
    moved = [(value - before[key]).flatten() for key, value in run.network().state_dict().items()]
    assert torch.cat(moved).norm().item() == pytest.approx(0.5e-3, rel=1e-3)


def test_each_number_of_the_gradient_is_clipped_where_that_is_said() -> None:
    """One step of plain gradient descent then moves each weight by at most rate x limit."""
    words = ["recipe/optimizer=sgd", "recipe.optimizer.lr=0.5", "recipe.batch_size=4000"]
    words += ["recipe.max_epochs=1", "trainer.gradient_clip_val=1e-4", *QUICK[::2]]
    words += ["+trainer.gradient_clip_algorithm=value"]
    run = mnist_arch.train("mlp", overrides=words)
    before = train.assemble.network(compose(["model=mlp"])).state_dict()
    moved = [(value - before[key]).flatten() for key, value in run.network().state_dict().items()]
    assert torch.cat(moved).abs().max().item() == pytest.approx(0.5e-4, rel=1e-2)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1: must be a number above"),
        ("trainer.gradient_clip_val=x", "trainer.gradient_clip_val=x: must be a number above 0"),
        ("+trainer.gradient_clip_algorithm=nrom", "trainer.gradient_clip_algorithm=nrom: did you"),
        ("+trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches=2: set recipe."),
        ("trainer.devices=2 recipe.batch_size=1", "trainer.devices=2: batches of 1 cannot be"),
        ("trainer.devices=2 model=batchnorm_cnn", "trainer.devices=2: batchnorm_cnn normalises"),
        ("trainer.devices=2 +trainer.strategy=dpp", "trainer.strategy=dpp: did you mean ddp?"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(tmp_path: Path, word: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        mnist_arch.train("mlp", overrides=[*word.split(), *QUICK])
    assert str(error.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_train_as_one_does() -> None:
    """On their shares of the same batches, the last of which is one image for one of them."""
    words = [*QUICK, "recipe.batch_size=64", "recipe.max_epochs=2", "data.size=321"]
    words += ["recipe/schedule=warmup_cosine", "trainer.accelerator=cpu"]
    one, two = (
        mnist_arch.train("lenet5", overrides=[*words, *more])
        for more in ([], ["trainer.devices=2", "+trainer.strategy=ddp"])
    )
    assert two.record.history["train/errors"] == one.record.history["train/errors"]
    for name in ("train/loss", "validation/loss"):
        assert two.record.history[name] == pytest.approx(one.record.history[name], rel=1e-5)
    weights = one.network().state_dict()
    for name, value in two.network().state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=1e-4, atol=1e-5)


def test_csv_holds_every_epoch_once_though_the_run_was_resumed() -> None:
    words = ["logger=csv", *QUICK, "recipe.max_epochs=3"]
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train("mlp", overrides=words, callbacks=[Epochs(break_after=2)])
    run = mnist_arch.train("mlp", overrides=words)
    assert [each["epochs"] for each in run.record.interrupted] == [2]
    with (run.folder / "metrics.csv").open() as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    losses = {int(row["step"]): float(row["train/loss"]) for row in rows if row["train/loss"]}
    assert [losses[step] for step in (1, 2, 3)] == pytest.approx(run.record.history["train/loss"])
    assert len([row for row in rows if row["train/loss"]]) == 3
    (final,) = [row for row in rows if row["test/accuracy"]]
    for name in METRICS:
        assert float(final[f"test/{name}"]) == pytest.approx(run.record.score("test", name))
    assert not list(run.folder.glob("events*"))


@pytest.mark.parametrize("damage", [b"", b"PK half a file"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*QUICK, "recipe.max_epochs=4", "recipe.keep=best"]
    straight = mnist_arch.train("mlp", overrides=[*words, "runs=straight"])
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train("mlp", overrides=words, callbacks=[Epochs(break_after=3)])
    (folder,) = Path("runs").iterdir()
    last = folder / "checkpoints/last.ckpt"
    last.write_bytes(damage)
    run = mnist_arch.train("mlp", overrides=words)
    assert [each["epochs"] for each in run.record.interrupted] == [2]
    assert run.record.history == straight.record.history
    events = EventAccumulator(str(folder)).Reload()  # the third epoch was logged twice
    for tag, values in run.record.history.items():
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4]
        assert [event.value for event in events.Scalars(tag)] == pytest.approx(values)
    assert run.record.kept_epoch == straight.record.kept_epoch
    for name, value in run.network().state_dict().items():
        assert value.equal(straight.network().state_dict()[name]), name
    notes = [line for line in capsys.readouterr().err.splitlines() if str(last) in line]
    assert len(notes) == 1
    assert notes[0].endswith("the one before is taken")
    assert {path.name for path in last.parent.iterdir()} == {"last.ckpt", "best.ckpt"}


def test_where_no_checkpoint_is_whole_the_run_says_what_to_remove() -> None:
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train("mlp", overrides=QUICK, callbacks=[Epochs(break_after=1)])
    (last,) = Path("runs").glob("*/checkpoints/last.ckpt")
    last.write_bytes(b"")
    with pytest.raises(UserError, match="remove it, and the run starts anew"):
        mnist_arch.train("mlp", overrides=QUICK)


@pytest.mark.parametrize("seeds", [None, [0, 1]])
def test_a_training_that_diverges_says_when_and_leaves_no_record(
    seeds: list[int] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*QUICK, "recipe.max_epochs=3", "recipe/optimizer=sgd", "recipe.optimizer.lr=0.1"]
    words += ["recipe/schedule=paper_1998", "recipe.schedule.rates=[0.1,1e38]"]
    words += ["recipe.schedule.passes=[1]"]
    train = partial(mnist_arch.train_together, seeds=seeds) if seeds else mnist_arch.train
    with pytest.raises(UserError) as error:
        train("lenet5", overrides=words)
    assert str(error.value).startswith("seed 0 diverged in epoch 2, at a learning rate of 1e+38")
    (diverged,) = Path("runs").glob("*/diverged.json")
    values = json.loads(diverged.read_text())
    assert (values["status"], values["seed"], values["epoch"]) == ("diverged", 0, 2)
    assert not [*Path("runs").glob("*/record.json")]
    assert torch.load(diverged.parent / "checkpoints/last.ckpt")["epoch"] == 0
    assert "nan" not in capsys.readouterr().err


def test_the_record_says_which_test_images_are_misclassified() -> None:
    run = mnist_arch.train("dense", overrides=QUICK)
    predictions = run.predictions()
    wrong = (predictions.predicted != predictions.labels).tolist()
    assert run.record.misclassified_images is not None
    assert run.record.misclassified_images.tolist() == wrong
    unread = mnist_arch.train("dense", overrides=[*QUICK, "test=false"])
    assert unread.record.misclassified_images is None
    with pytest.raises(UserError, match="left the test images unread"):
        unread.predictions()  # those that it left are of other images


def test_early_stopping_ends_a_run_and_a_resumed_one_where_it_would_have_ended() -> None:
    """A rate of zero never improves: one epoch sets the best, and two of patience follow."""
    words = ["callbacks=early_stopping", "callbacks.early_stopping.patience=2", *QUICK]
    words += ["recipe/optimizer=sgd", "recipe.optimizer.lr=0", "recipe.max_epochs=9"]
    run = mnist_arch.train("dense", overrides=words)
    assert (run.record.epochs, len(run.record.history["train/loss"])) == (3, 3)
    assert run.record.config["recipe.max_epochs"] == 9
    (run.folder / "record.json").unlink()  # killed after the last epoch, before the record
    again = mnist_arch.train("dense", overrides=words)
    assert again.folder == run.folder
    assert again.record.history == run.record.history
    assert again.record.interrupted == [
        {"epochs": 3, "commit": run.record.provenance.commit},
    ]


def test_a_run_is_resumed_with_the_same_data_only() -> None:
    with pytest.raises(RuntimeError, match="broken off"):
        mnist_arch.train("mlp", overrides=QUICK, callbacks=[Epochs(break_after=1)])
    path = Path("runs/mlp-mnist_5k-max_epochs=2-seed0/checkpoints/last.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["mnist_arch"]["split_digest"] = "of other images"
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match="cannot be resumed, because the data have changed"):
        mnist_arch.train("mlp", overrides=QUICK)


def test_training_by_single_patterns_leaves_onednn_as_it_was() -> None:
    words = ["recipe.batch_size=1", "data.size=20", "recipe.max_epochs=1", *QUICK[::2]]
    mnist_arch.train("dense", overrides=words)
    assert torch.backends.mkldnn.enabled


def test_no_logger_is_no_log_and_all_else_is_there() -> None:
    run = mnist_arch.train("dense", overrides=["logger=none", *QUICK])
    names = {path.name for path in run.folder.iterdir()}
    assert names == {"record.json", "config.yaml", "checkpoints", "predictions.npz"}


def test_tensorboard_has_every_metric_of_the_test() -> None:
    run = mnist_arch.train("dense", overrides=["logger=[tensorboard,csv]", *QUICK])
    events = EventAccumulator(str(run.folder)).Reload()
    for name in METRICS:
        (event,) = events.Scalars(f"test/{name}")
        assert (event.step, event.value) == (2, pytest.approx(run.record.score("test", name)))
    assert (run.folder / "metrics.csv").exists()
