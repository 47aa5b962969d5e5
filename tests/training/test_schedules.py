"""Schedules that move within an epoch: their rates, and that training follows them."""

import math
import warnings
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

import mnist_arch
from mnist_arch.data.batches import Batches, Chunks, Shuffle
from mnist_arch.training.callbacks import Checkpoints, Metadata
from mnist_arch.training.classifier import Classifier
from mnist_arch.training.schedules import WarmupCosine
from tests.training.test_classifier import digits, trainer

RATE, EPOCHS, WARMUP = 0.1, 3, 0.5


def sgd(rate: float = RATE) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)


def train(
    chunks: Chunks, epochs: int, *callbacks: pl.Callback, resumed: Path | None = None
) -> Classifier:
    torch.manual_seed(0)
    ours = Classifier(
        mnist_arch.build("mlp"),
        partial(torch.optim.SGD, lr=RATE, momentum=0.9),
        partial(WarmupCosine, epochs=EPOCHS, warmup=WARMUP),
    )
    trainer(epochs, [*callbacks]).fit(ours, chunks, ckpt_path=resumed, weights_only=True)
    return ours


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0, 0), (0.5, 0.5), (1, 1), (1.75, (2 + 2**0.5) / 4), (2.5, 0.5), (4, 0), (5, 0)],
)
def test_it_rises_in_a_straight_line_and_falls_along_half_a_cosine(
    progress: float, factor: float
) -> None:
    optimizer = sgd(0.2)
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.6})
    WarmupCosine(optimizer, epochs=4, warmup=0.25).move_to(progress)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([0.2 * factor, 0.6 * factor], abs=1e-15)


def test_without_warm_up_it_is_torchs_cosine_from_epoch_to_epoch() -> None:
    ours, theirs = sgd(), sgd()
    schedules = (
        WarmupCosine(ours, epochs=7, warmup=0),
        torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 7),
    )
    for _ in range(7):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"])
        for optimizer, schedule in zip((ours, theirs), schedules, strict=True):
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("length", [1, 3])
def test_each_step_is_at_the_rate_of_its_middle(length: int) -> None:
    """The weights are those of a few lines of torch, the short batch of each epoch included."""
    split = digits(100)
    ours = train(Chunks(Batches(split, 32, Shuffle(5)), length), EPOCHS)

    torch.manual_seed(0)
    net = mnist_arch.build("mlp")
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9)
    for epoch in range(EPOCHS):
        shuffle = Shuffle(5)
        shuffle.set_epoch(epoch)
        for step, chosen in enumerate(shuffle.order(100).split(32)):
            done = (4 * epoch + step + 0.5) / (4 * EPOCHS)  # the share of training
            falling = math.cos(math.pi * (done - WARMUP) / (1 - WARMUP)) / 2 + 0.5
            optimizer.param_groups[0]["lr"] = RATE * (done / WARMUP if done < WARMUP else falling)
            optimizer.zero_grad()
            net.head.loss(net(split.images[chosen]), split.labels[chosen]).backward()
            optimizer.step()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(ours.net.state_dict()[name], value)
    assert ours.history["learning_rate"] == pytest.approx([0, RATE * 2 / 3, RATE * 3 / 4])


def test_a_run_resumed_at_an_epochs_end_is_bit_identical(tmp_path: Path) -> None:
    chunks = Chunks(Batches(digits(100), 32, Shuffle(0)), 3)
    straight = train(chunks, EPOCHS)
    saving = [Metadata({"architecture": "mlp"}), Checkpoints(tmp_path, "last")]
    train(chunks, 2, *saving)
    with warnings.catch_warnings():
        # Lightning notes that it resumes from a folder that holds other checkpoints.
        warnings.simplefilter("ignore")
        resumed = train(chunks, EPOCHS, *saving, resumed=tmp_path / "last.ckpt")
    for name, value in straight.net.state_dict().items():
        assert resumed.net.state_dict()[name].equal(value), name
    assert resumed.history == straight.history


def test_epochs_that_lightning_cuts_short_take_the_whole_schedule() -> None:
    rates = []

    class Note(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    torch.manual_seed(0)
    schedule = partial(WarmupCosine, epochs=1, warmup=0.5)
    ours = Classifier(mnist_arch.build("dense"), partial(torch.optim.SGD, lr=RATE), schedule)
    fitting = trainer(1, [Note()])
    fitting.limit_train_batches = 4
    fitting.fit(ours, Chunks(Batches(digits(100), 10, Shuffle(0))))
    falling = [(2 + 2**0.5) / 4, (2 - 2**0.5) / 4]  # at 5/8 and 7/8 of training
    assert rates == pytest.approx([RATE * share for share in (0.25, 0.75, *falling)])


@pytest.mark.parametrize(
    ("epochs", "warmup", "message"),
    [
        (0, 0.1, "epochs=0: must be greater than 0"),
        (3, 1, "warmup=1: must be a share of training"),
        (3, -0.1, "warmup=-0.1: must be a share of training"),
    ],
)
def test_impossible_numbers_are_refused(epochs: int, warmup: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WarmupCosine(sgd(), epochs=epochs, warmup=warmup)
