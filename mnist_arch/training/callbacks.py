"""What happens beside training: progress for the reader, and checkpoints that suffice."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from tqdm import tqdm

REFRESH = 0.2  # seconds between two drawings of the bar


class Progress(pl.Callback):
    """On a terminal one bar for the whole training; elsewhere one line for each epoch.

    Both go to standard error, so that standard output holds results only.
    """

    def __init__(self, name: str, epochs: int) -> None:
        self.name, self.epochs = name, epochs
        self.bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Draw the bar, or note the time."""
        self.first_epoch, self.started = trainer.current_epoch, time.monotonic()
        if sys.stderr.isatty():
            steps = int(trainer.num_training_batches)
            self.bar = tqdm(
                total=self.epochs * steps,
                initial=trainer.current_epoch * steps,
                mininterval=REFRESH,
                bar_format="{desc} |{bar}| {elapsed}<{remaining}{postfix}",
                dynamic_ncols=True,
            )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Show the figures of the epoch before: they are complete by now."""
        self._report(trainer)
        if self.bar is not None:
            self.bar.set_description_str(self._epoch(trainer.current_epoch + 1))

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the bar; tqdm draws it no more often than REFRESH says."""
        if self.bar is not None:
            self.bar.update()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Show the last epoch's figures."""
        self._report(trainer)
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Leave the terminal tidy."""
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def _report(self, trainer: pl.Trainer) -> None:
        done = trainer.current_epoch
        if done == self.first_epoch:
            return
        metrics = trainer.callback_metrics
        text = f"loss {metrics['train/loss']:.4f}, train {metrics['train/accuracy']:.2f} %"
        if "validation/accuracy" in metrics:
            text += f", validation {metrics['validation/accuracy']:.2f} %"
        if self.bar is not None:
            self.bar.set_postfix_str(text)
            return
        elapsed = time.monotonic() - self.started
        left = elapsed / (done - self.first_epoch) * (self.epochs - done)
        text += f", {elapsed:.0f} s" + (f", {left:.0f} s left" if left else "")
        sys.stderr.write(f"{self._epoch(done)}: {text}\n")
        sys.stderr.flush()

    def _epoch(self, epoch: int) -> str:
        return f"{self.name} epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}"


class Card(pl.Callback):
    """Writes into each checkpoint what it is, as plain data: the file needs none beside it."""

    def __init__(self, card: dict[str, Any]) -> None:
        self.card = card

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Add the card."""
        checkpoint["mnist_arch"] = self.card


def checkpoints(folder: Path, keep: str) -> list[pl.Callback]:
    """Save ``last.ckpt`` after each epoch, and ``best.ckpt`` when the recipe keeps the best."""
    after_each_epoch = partial(
        ModelCheckpoint, folder, save_on_train_epoch_end=True, enable_version_counter=False
    )
    saving: list[pl.Callback] = [after_each_epoch("last")]
    if keep == "best":
        saving.append(after_each_epoch("best", monitor="validation/errors"))
    return saving
