"""Callbacks: progress reporting and self-contained, atomically written checkpoints."""

import math
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from tqdm import tqdm
from typing_extensions import override

from mnist_arch import files
from mnist_arch.training import stopping
from mnist_arch.training.classifier import Classifier

REFRESH = 0.2  # seconds between two drawings of the bar


class Progress(pl.Callback):
    """On a terminal one bar for the whole training; elsewhere one line for each epoch.

    Both go to standard error, so that standard output holds results only.
    """

    def __init__(self, name: str, epochs: int) -> None:
        self.name, self.epochs = name, epochs
        self.bar: tqdm[Any] | None = None

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.first_epoch, self.started = trainer.current_epoch, time.monotonic()
        if sys.stderr.isatty() and trainer.is_global_zero:
            steps = int(trainer.num_training_batches)
            self.bar = tqdm(
                total=self.epochs * steps,
                initial=trainer.current_epoch * steps,
                mininterval=REFRESH,
                bar_format="{desc} |{bar}| {elapsed}<{remaining}{postfix}",
                dynamic_ncols=True,
            )

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Only now are the metrics of the epoch before complete.
        self._report(trainer)
        if self.bar is not None:
            self.bar.set_description_str(self._epoch(trainer.current_epoch + 1))

    @override
    def on_train_batch_end(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.update()

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._report(trainer)
        self._close()

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def _report(self, trainer: pl.Trainer) -> None:
        done = trainer.current_epoch
        if done == self.first_epoch or not trainer.is_global_zero:
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


class Metadata(pl.Callback):
    """Writes into each checkpoint what it is, as plain data, so that the file is self-contained.

    Args:
        values: What the checkpoint shall hold under the key ``mnist_arch``.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["mnist_arch"] = self.values


PREVIOUS = "previous.ckpt"


def checkpoint_file(path: Path) -> AbstractContextManager[Path]:
    """Lend a path to write a checkpoint to; of ``last.ckpt`` the one before is kept, too."""
    before = path.with_name(PREVIOUS) if path.name == "last.ckpt" else None
    return files.whole(path, before)


class Checkpoints(Checkpoint):
    """Saves ``last.ckpt`` after each epoch and within it, ``best.ckpt`` where the best are kept.

    Lightning's ModelCheckpoint writes elsewhere and copies, so that a kill can leave half a file,
    and it writes the last file before the best one is known, so that a resumed run can keep other
    weights than one that was never interrupted. Here the best comes first, each file replaces the
    one before it in one step, and no path is remembered, so that a run's folder can be moved.

    A training that a signal asks to end (`stopping`) is saved and ended at the next chunk's end.

    Args:
        folder: Where the files go.
        keep: ``last``, or ``best`` by the fewest validation errors, the earlier epoch of equals.
        every: Seconds after which an epoch is saved that is not over. Where several processes
            train together, or validate within an epoch, only whole epochs are saved.
    """

    def __init__(self, folder: Path, keep: str, every: float = math.inf) -> None:
        self.folder, self.keep, self.every = folder, keep, every
        self.fewest_errors = float("inf")
        self.saved: str | None = None  # how much of the training, in words

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        stopping.listen()
        self._note(trainer, pl_module)
        self.within_epochs = trainer.world_size == 1 and trainer.val_check_interval == 1

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        due = time.monotonic() >= self.saved_at + self.every
        if self.within_epochs and (due or stopping.asked()):
            self._save_last(trainer, pl_module)
        self._stop_if_asked()

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.keep == "best":
            self._save_best(trainer, pl_module)
        self._save_last(trainer, pl_module)
        self._stop_if_asked()

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if self.saved and isinstance(exception, KeyboardInterrupt | stopping.Stopped):
            sys.stderr.write(f"{self.saved}: the same command resumes from there\n")

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"fewest_errors": self.fewest_errors}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.fewest_errors = state_dict["fewest_errors"]

    def _save_best(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        errors = float(trainer.callback_metrics["validation/errors"])
        if errors < self.fewest_errors:
            self.fewest_errors = errors
            self._save(trainer, "best.ckpt")

    def _save_last(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._save(trainer, "last.ckpt")
        self._note(trainer, pl_module)

    def _note(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note when the training was saved, and how much of it."""
        assert isinstance(pl_module, Classifier)
        self.saved_at = time.monotonic()
        epochs: int = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        share = pl_module.steps / pl_module.steps_of_an_epoch
        text = f"{epochs + math.floor(100 * share) / 100:g}"
        self.saved = f"{text} of {trainer.max_epochs} epochs are saved"

    def _stop_if_asked(self) -> None:
        if stopping.asked():
            raise stopping.Stopped

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        if not trainer.is_global_zero:
            trainer.save_checkpoint(name)  # all processes take part, and the first one writes
            return
        self.folder.mkdir(exist_ok=True)
        with checkpoint_file(self.folder / name) as unfinished:
            trainer.save_checkpoint(unfinished)
