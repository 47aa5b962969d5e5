"""What happens beside training: progress for the reader, and checkpoints that suffice."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from tqdm import tqdm

from mnist_arch.errors import UserError

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

    def on_exception(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        exception: BaseException,
    ) -> None:
        """Leave the terminal tidy."""
        self._close()
        if isinstance(exception, KeyboardInterrupt):
            sys.stderr.write(
                f"{trainer.current_epoch} of {self.epochs} epochs are kept: "
                "the same command goes on from there\n"
            )

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
    """Writes into each checkpoint what it is, as plain data: the file needs none beside it.

    Args:
        values: What the record and the checkpoints of a run share.

    Attributes:
        interrupted: Where an earlier part of the run was broken off; see records.Record.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.interrupted: list[dict[str, Any]] = []
        self._earlier = 0.0
        self._clock: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of training, those of earlier parts of the run included."""
        return self._earlier + (time.perf_counter() - self._clock if self._clock else 0.0)

    def go_on(self, checkpoint: dict[str, Any], path: Path) -> None:
        """Take over from the checkpoint of a run that was broken off.

        Raises:
            UserError: It was trained on other images or digits.
        """
        before = checkpoint["mnist_arch"]
        if before["split_digest"] != self.values["split_digest"]:
            raise UserError(f"{path}: cannot go on from it, for the data have changed; remove it")
        parted = {"epochs": checkpoint["epoch"] + 1, "commit": before["commit"]}
        self.interrupted = [*before["interrupted"], parted]
        self._earlier = before["seconds_training"]
        sys.stderr.write(f"{path}: going on after epoch {parted['epochs']}\n")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self._clock = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Stop the clock."""
        self._earlier, self._clock = self.seconds, None

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Add the card."""
        course = {"seconds_training": self.seconds, "interrupted": self.interrupted}
        checkpoint["mnist_arch"] = self.values | course


class _Movable(ModelCheckpoint):
    """Knows its files again after the run's folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the scores, with the paths of this folder."""

        def here(path: str) -> str:
            return f"{self.dirpath}/{Path(path).name}" if path else path

        moved = {key: here(value) for key, value in state_dict.items() if key.endswith("_path")}
        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(
            state_dict | moved | {"dirpath": self.dirpath, "best_k_models": best}
        )


def checkpoints(folder: Path, keep: str) -> list[pl.Callback]:
    """Save ``last.ckpt`` after each epoch, and ``best.ckpt`` when the recipe keeps the best."""
    after_each_epoch = partial(
        _Movable, folder, save_on_train_epoch_end=True, enable_version_counter=False
    )
    saving: list[pl.Callback] = [after_each_epoch("last")]
    if keep == "best":
        saving.append(after_each_epoch("best", monitor="validation/errors"))
    return saving
