"""The one Lightning module, for every architecture."""

from collections.abc import Callable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_arch.data.splits import Split
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed, generator
from mnist_arch.training import curvature
from mnist_arch.training.optimizers import SDLM, parameter_groups

Phase = Literal["train", "validation", "test"]


class Classifier(pl.LightningModule):
    """Trains one network; for each epoch logs loss, errors and accuracy (percent).

    The figures of training are running ones, as Keras prints them: each batch is counted as it
    was when it was trained on. (Keras's loss has the l2 penalty in it, this one never.) Nothing
    is read from the device before an epoch is over.

    Args:
        net: The network.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the schedule of the learning rate, stepped after each epoch.
        loss: Of (N, 10) scores and (N,) digits; None for that of the network's head.
        l2: Keras's l2(c) on every kernel.
        seed: Draws the dropout of each epoch.
        update: Images of one update, where a batch shall be several updates one after another;
            None where a batch is one. Lightning's loop costs more than a single pattern does, so
            those come to it in larger batches.

    Attributes:
        history: For each finished epoch and each figure, what was logged; saved in checkpoints.
    """

    def __init__(
        self,
        net: Network,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        loss: curvature.Loss | None = None,
        l2: float = 0.0,
        seed: int = 0,
        update: int | None = None,
    ) -> None:
        super().__init__()
        self.update, self.automatic_optimization = update, update is None
        self.net, self.optimizer, self.schedule = net, optimizer, schedule
        self.loss, self.l2, self.seed = loss or net.head.loss, l2, seed
        self.history: dict[str, list[float]] = {}
        self._counted: list[tuple[Tensor, Tensor, int]] = []  # loss, errors and images of batches

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        scores: Tensor = self.net(images)
        return scores

    def training_step(self, batch: Split, batch_idx: int) -> Tensor | None:  # noqa: ARG002 Lightning's
        """Return the mean loss of a batch, to be minimised, or take its updates."""
        if self.update is None:
            return self._step(batch)
        counted: Any = self.optimizers()  # Lightning counts this one's steps: one for each batch
        parts = list(zip(*(part.split(self.update) for part in batch), strict=True))
        for number, (images, digits) in enumerate(parts, start=1):
            loss = self._step(Split(images, digits))
            counted.optimizer.zero_grad()
            loss.backward()
            (counted if number == len(parts) else counted.optimizer).step()
        return None

    def validation_step(self, batch: Split, batch_idx: int) -> None:  # noqa: ARG002
        """Count a batch."""
        self._step(batch)

    def test_step(self, batch: Split, batch_idx: int) -> None:  # noqa: ARG002
        """Count a batch."""
        self._step(batch)

    def on_train_epoch_start(self) -> None:
        """Seed dropout by the epoch, so that a resumed run drops the same units."""
        optimizer = self.trainer.optimizers[0]
        if isinstance(optimizer, SDLM):
            self._measure_curvature(optimizer)
        self._rate = optimizer.param_groups[0]["lr"]
        torch.manual_seed(derived_seed(self.seed, "dropout", self.current_epoch))

    def on_validation_start(self) -> None:
        """Close the training figures: Lightning validates before it ends the epoch."""
        self._close("train")

    def on_validation_epoch_end(self) -> None:
        """Log the epoch."""
        self._close("validation")

    def on_train_epoch_end(self) -> None:
        """Log the epoch, where there is no validation, and step what Lightning leaves to us."""
        self._close("train")
        if self.update is not None and self.schedule:
            schedule: Any = self.lr_schedulers()
            schedule.step()

    def on_test_epoch_end(self) -> None:
        """Log the test."""
        self._close("test")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the history."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the history."""
        self.history = checkpoint["history"]

    def configure_optimizers(self) -> Any:
        """Build the optimiser and the schedule."""
        optimizer = self.optimizer(parameter_groups(self.net, self.l2))
        return ([optimizer], [self.schedule(optimizer)]) if self.schedule else optimizer

    def _measure_curvature(self, optimizer: SDLM) -> None:
        """Measure it on patterns drawn for this epoch."""
        batches: Any = self.trainer.train_dataloader
        draws = generator(self.seed, "curvature", self.current_epoch)
        images, digits = batches.sample(optimizer.patterns, draws)
        signs = curvature.random_signs(self.net, images, draws)
        optimizer.set_curvature(curvature.diagonal(self.net, images, digits, signs, self.loss))

    def _step(self, batch: Split) -> Tensor:
        images, digits = batch
        scores = self(images)
        loss = self.loss(scores, digits)
        errors = (scores.detach().argmax(1) != digits).sum()
        self._counted.append((loss.detach(), errors, len(digits)))
        return loss

    def _close(self, phase: Phase) -> None:
        """Sum up the batches counted since the last call, if any, and log the sums."""
        if not self._counted:
            return
        losses, errors, sizes = zip(*self._counted, strict=True)
        self._counted = []
        images = sum(sizes)
        misread = int(torch.stack(errors).sum())
        loss = (torch.stack(losses).cpu().double() @ torch.tensor(sizes).double()).item() / images
        figures = {"loss": loss, "errors": misread, "accuracy": 100 * (images - misread) / images}
        figures = {f"{phase}/{name}": figure for name, figure in figures.items()}
        if phase == "train":
            figures["learning_rate"] = self._rate
        if phase == "test":
            self.log_dict(figures)
            return
        for name, figure in figures.items():
            self.history.setdefault(name, []).append(figure)
        self.log_dict(figures, logger=False)  # for callbacks; the logger counts in epochs:
        if self.logger:
            self.logger.log_metrics(figures, step=self.current_epoch + 1)
