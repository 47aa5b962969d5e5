"""The one Lightning module, for every architecture."""

from collections.abc import Callable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from mnist_arch.data.splits import Split
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed, generator
from mnist_arch.training import curvature
from mnist_arch.training.optimizers import SDLM, parameter_groups

Phase = Literal["train", "validation", "test"]


class Classifier(pl.LightningModule):
    """Trains one network; for each epoch logs loss, errors and accuracy (percent).

    Training metrics are running ones, as Keras prints them: each batch is counted with the weights
    that it was trained from. (Keras's loss includes the l2 penalty, this one never does.) Nothing
    is copied from the device before an epoch is over.

    Args:
        net: The network.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the schedule of the learning rate, stepped after each epoch.
        loss: Of (N, 10) scores and (N,) labels; None for that of the network's head.
        l2: Keras's l2(c) on every kernel.
        seed: Draws the dropout of each epoch.

    Attributes:
        history: For each metric its value after each finished epoch; saved in checkpoints.
    """

    steps_by_itself = False  # or leaves the optimiser's steps to Lightning

    def __init__(
        self,
        net: Network,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        loss: curvature.Loss | None = None,
        l2: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = not self.steps_by_itself
        self.net, self.optimizer, self.schedule = net, optimizer, schedule
        self.loss, self.l2, self.seed = loss or net.head.loss, l2, seed
        self.history: dict[str, list[float]] = {}
        self._counted: list[tuple[Tensor, Tensor, int]] = []  # loss, errors and images of batches

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        scores: Tensor = self.net(images)
        return scores

    @override
    def training_step(self, batch: Split, batch_idx: int) -> Tensor | None:
        return self._step(batch)

    @override
    def validation_step(self, batch: Split, batch_idx: int) -> None:
        self._step(batch)

    @override
    def test_step(self, batch: Split, batch_idx: int) -> None:
        self._step(batch)

    @override
    def on_train_start(self) -> None:
        # A CSV logger starts its file anew where a run is resumed.
        epochs = len(self.history.get("train/loss", ()))
        for logger in self.loggers:
            if isinstance(logger, CSVLogger):
                for epoch in range(epochs):
                    metrics: Any = {name: values[epoch] for name, values in self.history.items()}
                    logger.log_metrics(metrics, step=epoch + 1)

    @override
    def on_train_epoch_start(self) -> None:
        self._rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        # Dropout is seeded by the epoch, so that a resumed run drops the same units.
        torch.manual_seed(derived_seed(self.seed, "dropout", self.current_epoch))

    @override
    def on_validation_start(self) -> None:
        self._close("train")  # Lightning validates before it ends the epoch

    @override
    def on_validation_epoch_end(self) -> None:
        self._close("validation")

    @override
    def on_train_epoch_end(self) -> None:
        self._close("train")

    @override
    def on_test_epoch_end(self) -> None:
        self._close("test")

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]

    @override
    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(parameter_groups(self.net, self.l2))
        return ([optimizer], [self.schedule(optimizer)]) if self.schedule else optimizer

    def _step(self, batch: Split) -> Tensor:
        images, labels = batch
        scores = self(images)
        loss = self.loss(scores, labels)
        errors = (scores.detach().argmax(1) != labels).sum()
        self._counted.append((loss.detach(), errors, len(labels)))
        return loss

    def _close(self, phase: Phase) -> None:
        """Sum up the batches counted since the last call, if any, and log the sums."""
        if not self._counted:
            return
        losses, wrong, sizes = zip(*self._counted, strict=True)
        self._counted = []
        images = sum(sizes)
        errors = int(torch.stack(wrong).sum())
        loss = (torch.stack(losses).cpu().double() @ torch.tensor(sizes).double()).item() / images
        metrics = {
            f"{phase}/loss": loss,
            f"{phase}/errors": errors,
            f"{phase}/accuracy": 100 * (images - errors) / images,
        }
        if phase == "train":
            metrics["learning_rate"] = self._rate
        if phase == "test":
            self.log_dict(metrics)
            return
        for name, value in metrics.items():
            self.history.setdefault(name, []).append(value)
        self.log_dict(metrics, logger=False)  # for callbacks; the loggers count in epochs:
        for logger in self.loggers:
            logger.log_metrics(metrics, step=self.current_epoch + 1)


class PatternByPattern(Classifier):
    """Takes one optimiser step for each single image.

    Lightning's loop costs more than a single image does, so images come to it in larger batches.
    """

    steps_by_itself = True

    @override
    def training_step(self, batch: Split, batch_idx: int) -> None:
        counted: Any = self.optimizers()  # Lightning counts this one's steps: one for each batch
        images, labels = batch
        for number, (image, label) in enumerate(
            zip(images.split(1), labels.split(1), strict=True), start=1
        ):
            loss = self._step(Split(image, label))
            counted.optimizer.zero_grad()
            loss.backward()
            (counted if number == len(labels) else counted.optimizer).step()

    @override
    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        if self.schedule:  # Lightning steps it in automatic optimisation only
            schedule: Any = self.lr_schedulers()
            schedule.step()


class MeasureCurvature(pl.Callback):
    """Measures, before each epoch, the curvature by which SDLM sets each parameter's rate.

    Args:
        seed: Draws the patterns of each epoch.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        net, optimizer = pl_module.net, trainer.optimizers[0]
        batches: Any = trainer.train_dataloader
        assert isinstance(optimizer, SDLM)
        draws = generator(self.seed, "curvature", trainer.current_epoch)
        images, labels = batches.sample(optimizer.patterns, draws)
        optimizer.set_curvature(
            curvature.measure(optimizer.curvature, net, images, labels, pl_module.loss, draws)
        )
