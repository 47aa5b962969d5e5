"""The Lightning module: what it minimises, what it counts, and that nothing is left to chance."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision

import mnist_arch
from mnist_arch.data.batches import Batches, Chunks, Shuffle
from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.data.splits import Split
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.heads import keras_on_pytorch
from mnist_arch.randomness import generator
from mnist_arch.runs.scoring import score
from mnist_arch.training.callbacks import Checkpoints, Metadata
from mnist_arch.training.classifier import Classifier, MeasureCurvature
from mnist_arch.training.curvature import SIGNS, diagonal
from mnist_arch.training.optimizers import SDLM, Staircase


def digits(count: int) -> Split:
    data = MNISTDataModule(name="mnist_5k", batch_size=1, validation=0, chunk=1)
    data.setup()
    return Split(data.train.images[:: 4000 // count], data.train.labels[:: 4000 // count])


def trainer(
    epochs: int,
    callbacks: list[pl.Callback] | None = None,
    precision: Any = None,
    plugins: Any = None,
) -> pl.Trainer:
    return pl.Trainer(
        precision=precision,
        plugins=plugins,
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=callbacks,
        enable_checkpointing=any(isinstance(each, Checkpoints) for each in callbacks or ()),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def classifier(name: str, seed: int = 0) -> Classifier:
    torch.manual_seed(0)
    if name == "lenet5_1998":
        return Classifier(
            mnist_arch.build(name),
            partial(SDLM, lr=1, mu=0.02, patterns=5),
            partial(Staircase, rates=[1e-4, 5e-5], passes=[2]),
            seed=seed,
        )
    return Classifier(
        mnist_arch.build(name),
        partial(torch.optim.SGD, lr=1e-4, momentum=0.9),
        partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5),
        seed=seed,
    )


def sdlm(name: str) -> list[pl.Callback]:
    return [MeasureCurvature(0)] if name == "lenet5_1998" else []


def test_it_is_a_plain_loop_over_the_same_batches() -> None:
    """Lightning, shuffling and counting included, the weights are those of ten lines of torch."""
    split = digits(100)
    ours = classifier("tanh_cnn", seed=3)
    trainer(2).fit(ours, Chunks(Batches(split, 32, Shuffle(5))))

    torch.manual_seed(0)
    net = mnist_arch.build("tanh_cnn").train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    losses, errors = [], []
    for epoch in range(2):
        shuffle = Shuffle(5)
        shuffle.set_epoch(epoch)
        torch.manual_seed(mnist_arch.randomness.derived_seed(3, "dropout", epoch))
        losses.append(0.0)
        errors.append(0)
        for chosen in shuffle.order(100).split(32):
            scores = net(split.images[chosen])
            loss = net.head.loss(scores, split.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1] += loss.item() * len(chosen) / 100
            errors[-1] += int((scores.argmax(1) != split.labels[chosen]).sum())
        optimizer.param_groups[0]["lr"] *= 0.5
    for name, value in net.state_dict().items():
        assert ours.net.state_dict()[name].equal(value), name
    assert ours.history["train/errors"] == errors
    assert ours.history["train/accuracy"] == [100.0 - error for error in errors]
    assert ours.history["train/loss"] == pytest.approx(losses, rel=1e-6)
    assert ours.history["learning_rate"] == [1e-4, 0.5e-4]


def test_sdlm_measures_the_curvature_before_each_pass_and_updates_by_single_patterns() -> None:
    split, schedule = digits(20), partial(Staircase, rates=[1e-4, 5e-5], passes=[1])
    torch.manual_seed(0)
    optimizer = partial(SDLM, lr=1, mu=0.02, patterns=7)
    ours = Classifier(mnist_arch.build("lenet5_1998"), optimizer, schedule)
    trainer(2, [MeasureCurvature(0)]).fit(ours, Chunks(Batches(split, 1, Shuffle(0)), 8))

    torch.manual_seed(0)
    net = mnist_arch.build("lenet5_1998")
    for epoch, rate in enumerate([1e-4, 5e-5]):
        batches = Batches(split, 1, Shuffle(0))
        batches.sampler.set_epoch(epoch)
        draws = generator(0, "curvature", epoch)
        patterns = batches.sample(7, draws)
        assert len(patterns.labels) == 7
        signs = torch.randint(2, (SIGNS, 7, 84), generator=draws) * 2 - 1
        h = diagonal(net, *patterns, signs)
        for images, truth in batches:
            net.zero_grad()
            net.head.loss(net(images), truth).backward()
            with torch.no_grad():
                for w in net.parameters():
                    w -= rate / (0.02 + h[w]) * w.grad
    for name, value in net.state_dict().items():
        torch.testing.assert_close(ours.net.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert ours.history["learning_rate"] == [1e-4, 5e-5]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_how_many_batches_lightning_is_handed_changes_nothing(precision: str) -> None:
    """Half precision included, whose copies of the weights are old after each step."""
    split, fits = digits(80), []
    for length in (1, 7):
        ours, fitting = classifier("tanh_cnn"), trainer(2, precision=precision)
        fitting.fit(ours, Chunks(Batches(split, 8, Shuffle(0)), length))
        assert fitting.global_step == 20
        fits.append(ours)
    assert fits[0].history["train/errors"] == fits[1].history["train/errors"]
    for one, other in zip(*(each.net.parameters() for each in fits), strict=True):
        assert one.equal(other)


def test_a_scaled_loss_gives_the_steps_of_an_unscaled_one() -> None:
    """Half precision scales the loss by 65,536, lest small gradients vanish, and unscales them."""
    split, fits = digits(80), []
    for plugins in ([], [MixedPrecision("16-mixed", "cpu")]):
        torch.manual_seed(0)
        ours = Classifier(mnist_arch.build("mlp"), partial(torch.optim.SGD, lr=0.1))
        fitting = trainer(1, plugins=plugins)
        fitting.fit(ours, Chunks(Batches(split, 8, Shuffle(0)), 3))
        fits.append(torch.cat([each.detach().flatten() for each in ours.net.parameters()]))
    torch.manual_seed(0)
    start = torch.cat([p.detach().flatten() for p in mnist_arch.build("mlp").parameters()])
    moved, scaled = (each - start for each in fits)
    assert (scaled - moved).norm() < 0.02 * moved.norm()


def test_another_loss_than_the_heads_is_minimised_and_counted() -> None:
    split, other = digits(20), keras_on_pytorch
    torch.manual_seed(0)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    ours = Classifier(mnist_arch.build("mlp"), optimizer, loss=other)
    trainer(1).fit(ours, Chunks(Batches(split, 20)))
    torch.manual_seed(0)
    net = mnist_arch.build("mlp")
    loss = other(net(split.images), split.labels)
    loss.backward()
    assert ours.history["train/loss"] == pytest.approx([loss.item()], rel=1e-6)
    for parameter, found in zip(net.parameters(), ours.net.parameters(), strict=True):
        torch.testing.assert_close(found, parameter - 0.1 * parameter.grad)
    scored = score(net, split, other)
    assert scored.loss == pytest.approx(loss.item(), rel=1e-6)
    assert scored.loss != pytest.approx(score(net, split).loss, rel=1e-3)


def test_validation_is_counted_apart_and_weighs_the_short_batch_by_its_size() -> None:
    ours, split = classifier("mlp"), digits(50)
    trainer(1).fit(ours, Chunks(Batches(split, 32, Shuffle(0))), Batches(split, 32))
    scores = ours.net.eval()(split.images)
    assert ours.history["validation/errors"] == [int((scores.argmax(1) != split.labels).sum())]
    loss = ours.net.head.loss(scores, split.labels).item()
    assert ours.history["validation/loss"] == pytest.approx([loss], rel=1e-6)
    assert {name.split("/")[0]: len(value) for name, value in ours.history.items()} == {
        "train": 1,
        "learning_rate": 1,
        "validation": 1,
    }


def test_lightnings_own_test_loop_works_with_the_data_module() -> None:
    data = MNISTDataModule(name="mnist_5k", batch_size=64, validation=0.1, chunk=1)
    ours = classifier("dense")
    (figures,) = trainer(1).test(ours, data, verbose=False)
    scores = ours.net.eval()(data.test.images)
    assert figures["test/errors"] == int((scores.argmax(1) != data.test.labels).sum())
    assert figures["test/accuracy"] == pytest.approx((500 - figures["test/errors"]) / 5)


@pytest.mark.parametrize("name", ["dropout_cnn", "lenet5_1998"])
def test_a_run_resumed_at_an_epochs_end_is_bit_identical(tmp_path: Path, name: str) -> None:
    """Dropout, order and optimiser state included."""
    split = digits(80)

    def fit(epochs: int, folder: Path, resumed: Path | None = None) -> Classifier:
        ours = classifier(name)
        saving = [Metadata({"architecture": name}), Checkpoints(folder, "last"), *sdlm(name)]
        trainer(epochs, saving).fit(
            ours, Chunks(Batches(split, 32, Shuffle(0))), ckpt_path=resumed, weights_only=True
        )
        return ours

    straight = fit(3, tmp_path / "straight")
    fit(2, tmp_path / "halted")
    with warnings.catch_warnings():
        # Lightning notes that it resumes from a folder that holds other checkpoints.
        warnings.simplefilter("ignore")
        resumed = fit(3, tmp_path / "resumed", tmp_path / "halted/last.ckpt")
    for key, value in straight.net.state_dict().items():
        assert resumed.net.state_dict()[key].equal(value), key
    assert resumed.history == straight.history


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_checkpoint_needs_nothing_beside_it(tmp_path: Path, name: str) -> None:
    ours, split = classifier(name), digits(20)
    saving = [Metadata({"architecture": name}), Checkpoints(tmp_path, "last"), *sdlm(name)]
    trainer(1, saving).fit(ours, Chunks(Batches(split, 10, Shuffle(0))))
    torch.load(tmp_path / "last.ckpt", weights_only=True)
    before = torch.random.get_rng_state()
    net = mnist_arch.load(tmp_path / "last.ckpt").net
    assert torch.random.get_rng_state().equal(before)
    assert not net.training
    trained = ours.net.eval().to(memory_format=torch.channels_last)
    assert net(split.images).equal(trained(split.images))


def test_best_keeps_the_epoch_with_fewest_validation_errors(tmp_path: Path) -> None:
    """A rate that wrecks the network after its first epoch leaves the first one best."""
    torch.manual_seed(0)
    ours = Classifier(
        mnist_arch.build("mlp"),
        partial(torch.optim.SGD, lr=0.1),
        partial(
            torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 1 if epoch < 1 else 1e4
        ),
    )
    split = digits(200)
    saving = [Metadata({"architecture": "mlp"}), Checkpoints(tmp_path, "best")]
    trainer(3, saving).fit(ours, Chunks(Batches(split, 20, Shuffle(0))), Batches(split, 200))
    errors = ours.history["validation/errors"]
    assert errors[0] < min(errors[1:])
    best, last = (torch.load(tmp_path / f"{kept}.ckpt") for kept in ("best", "last"))
    assert (best["epoch"], last["epoch"]) == (0, 2)
    net = mnist_arch.load(tmp_path / "best.ckpt").net
    assert int((net(split.images).argmax(1) != split.labels).sum()) == errors[0]


def test_a_run_whose_folder_was_moved_still_knows_its_best_epoch(tmp_path: Path) -> None:
    """The rate wrecks the network after its first epoch: the first stays best when it goes on."""

    def fit(epochs: int, folder: Path, resumed: Path | None = None) -> None:
        torch.manual_seed(0)
        wrecked = partial(
            torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 1 if epoch < 1 else 1e4
        )
        ours = Classifier(mnist_arch.build("mlp"), partial(torch.optim.SGD, lr=0.1), wrecked)
        saving = [Metadata({"architecture": "mlp"}), Checkpoints(folder, "best")]
        batches = Chunks(Batches(split, 20, Shuffle(0))), Batches(split, 200)
        trainer(epochs, saving).fit(ours, *batches, ckpt_path=resumed, weights_only=True)

    split = digits(200)
    fit(2, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    best = (tmp_path / "there/best.ckpt").read_bytes()
    with warnings.catch_warnings():
        # Lightning notes that it resumes from a folder that holds other checkpoints.
        warnings.simplefilter("ignore")
        fit(4, tmp_path / "there", tmp_path / "there/last.ckpt")
    assert torch.load(tmp_path / "there/last.ckpt")["epoch"] == 3
    assert (tmp_path / "there/best.ckpt").read_bytes() == best
    names = {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert {path.name for path in tmp_path.rglob("*.ckpt")} == names


def test_best_after_a_kill_is_the_best_of_the_uninterrupted_run(tmp_path: Path) -> None:
    """Killed between the two files of an epoch, the resumed run keeps the same weights."""

    class KilledError(Exception):
        pass

    class KilledBetween(Checkpoints):
        state_key = "Checkpoints"

        def _save(self, trainer: pl.Trainer, name: str) -> None:
            super()._save(trainer, name)
            if trainer.current_epoch == 1:
                raise KilledError

    split = digits(200)

    def fit(saving: Checkpoints, resumed: Path | None = None) -> Classifier:
        torch.manual_seed(0)
        # Errors rise after the second epoch, but fall from the first to it.
        rates = partial(
            torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 1 if epoch < 2 else 1e4
        )
        ours = Classifier(mnist_arch.build("mlp"), partial(torch.optim.SGD, lr=0.1), rates)
        batches = Chunks(Batches(split, 20, Shuffle(0))), Batches(split, 200)
        trainer(4, [Metadata({"architecture": "mlp"}), saving]).fit(
            ours, *batches, ckpt_path=resumed, weights_only=True
        )
        return ours

    straight = fit(Checkpoints(tmp_path / "straight", "best"))
    errors = straight.history["validation/errors"]
    assert errors[1] < min(errors[0], *errors[2:])
    with pytest.raises(KilledError):
        fit(KilledBetween(tmp_path / "killed", "best"))
    fit(Checkpoints(tmp_path / "killed", "best"), tmp_path / "killed/last.ckpt")
    states = [
        torch.load(tmp_path / folder / "best.ckpt")["state_dict"]
        for folder in ("straight", "killed")
    ]
    for key, value in states[0].items():
        assert value.equal(states[1][key]), key


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, split = classifier("mlp"), digits(20)
    fitting = trainer(1, [Metadata({"architecture": "mlp"}), Checkpoints(tmp_path, "last")])
    fitting.fit(ours, Chunks(Batches(split, 10, Shuffle(0))))
    before = (tmp_path / "last.ckpt").read_bytes()

    def half(_: pl.Trainer, path: Path) -> None:
        path.write_bytes(before[: len(before) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", half)
    with pytest.raises(OSError, match="no space left"):
        Checkpoints(tmp_path, "last").on_train_epoch_end(fitting, ours)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
