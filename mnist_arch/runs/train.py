"""The one way to train: settings in, a finished run out."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.errors import UserError
from mnist_arch.models.network import Network
from mnist_arch.runs import assemble, checkpoint, hparams, predictions, provenance
from mnist_arch.runs.arithmetic import arithmetic, emulates_bf16
from mnist_arch.runs.config import Config
from mnist_arch.runs.folders import interrupted_folder, run_folder
from mnist_arch.runs.identity import label, run_name, variant
from mnist_arch.runs.metrics import measure
from mnist_arch.runs.predictions import Predictions
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record, mask, write_values
from mnist_arch.runs.resumption import Saved, newest
from mnist_arch.runs.scoring import score
from mnist_arch.training import stopping
from mnist_arch.training.callbacks import PREVIOUS, Metadata, Progress
from mnist_arch.training.classifier import Classifier, DivergedError, charted
from mnist_arch.training.curvature import Loss


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and the record that lies there."""

    folder: Path
    record: Record

    def network(self) -> Network:
        """Load the network with the weights that the run kept, in evaluation mode."""
        return checkpoint.load(self.folder)

    def predictions(self) -> Predictions:
        """Return what the network made of the test images.

        Raises:
            UserError: They were not read (``test=false``).
        """
        return predictions.read(self.folder, self.record)


class Stopwatch:
    """Seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to a name."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started


def train(
    config: Config,
    *,
    command: str = "",
    callbacks: Sequence[pl.Callback] = (),
    resume: Path | None = None,
) -> Run:
    """Train a network, score it once, and leave a folder with the evidence.

    An equal run that was interrupted is resumed where it was saved last. The first Ctrl-C or
    SIGTERM is obeyed when the training has been saved.

    Args:
        config: The settings.
        command: What makes the run again, for its record.
        callbacks: More of Lightning's callbacks, for progress say; they are no part of the run.
        resume: The folder of the interrupted run that is to go on; None to look for an equal one.

    Raises:
        UserError: The data cannot be had, or a setting is impossible. Nothing is left behind.
    """
    watch = Stopwatch()
    with watch.measure("start_up"):
        prepare(config)
        classifier = assemble.classifier(config, assemble.network(config))
        data = assemble.data_module(config, assemble.chunk(config, classifier.net))
    with watch.measure("data"):
        read(data, config)
    if resume:
        lent = interrupted_folder(resume, config)
    else:
        lent = run_folder(Path(config.runs), run_name(config), config)
    with lent as folder, arithmetic(config):
        before = newest(folder)
        if before and resume:
            command = before.content["mnist_arch"]["provenance"]["command"]
        provenance = Provenance.of(command, data.sha256)
        begun = Begun(config, folder, data, provenance, watch.seconds, before)
        progress = Progress(config.model.name, config.recipe.max_epochs)
        own = [progress, Timer(), Metadata(begun.metadata), *callbacks]
        trainer = assemble.trainer(config, folder, own, validate=bool(data.validation))
        if before and before.stopped_early:
            trainer.fit_loop.max_epochs = before.place.epochs
        with begun.unless_diverged():
            fit(trainer, classifier, data, before.path if before else None)
        record = begun.finish(classifier.loss, trainer.strategy.root_device, trainer.loggers)
    return Run(folder, record)


def fit(
    trainer: pl.Trainer, classifier: Classifier, data: MNISTDataModule, resumed: Path | None
) -> None:
    """Train, from the checkpoint of an interrupted training if there is one.

    Raises:
        KeyboardInterrupt: Ctrl-C came, and the training is saved.
    """
    # Of several devices' processes this one only waits, and passes a signal on.
    with stopping.gently() if trainer.num_devices == 1 else nullcontext():
        trainer.fit(classifier, data, ckpt_path=resumed, weights_only=True)


class Begun:
    """A run in its folder, from before its training to its record.

    Args:
        config: Its settings.
        folder: Its own.
        data: Read.
        provenance: For its record.
        seconds: What start-up and data took.
        before: The checkpoint of the same run, where it was interrupted; None where it is new.

    Attributes:
        metadata: What its checkpoints say of it.

    Raises:
        UserError: The checkpoint was trained on other images or labels.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        data: MNISTDataModule,
        provenance: Provenance,
        seconds: dict[str, float],
        before: Saved | None,
    ) -> None:
        self.config, self.folder, self.data = config, folder, data
        self.provenance, self.seconds, self.before = provenance, seconds, before
        self.started = datetime.now(UTC)
        self.last, self.kept = (
            folder / f"checkpoints/{name}.ckpt" for name in ("last", config.recipe.keep)
        )
        self.metadata: dict[str, Any] = {
            "architecture": config.model.name,
            "arguments": config.model.arguments,
            "standardized": config.recipe.standardize,
            "recipe": config.recipe.name,
            "data": config.data.name,
            "seed": config.seed,
            "split_digest": data.split_digest,
            "interrupted": before.interruptions(data.split_digest) if before else [],
            "provenance": asdict(self.provenance),
            "config": config.settings,
        }
        # TensorBoard's of an attempt that was killed: its last epochs may be there twice, or not
        # at all. Whatever is finished is logged again.
        for earlier in folder.glob("events.out.tfevents.*"):
            earlier.unlink()

    def finish(self, loss: Loss, device: torch.device, loggers: Sequence[Logger]) -> Record:
        """Score the weights that the run keeps, log that, and write predictions and record."""
        config, data, folder = self.config, self.data, self.folder
        final, watch = checkpoint.read(self.last), Stopwatch()
        with watch.measure("evaluation"):
            net = checkpoint.load(self.kept).to(device)
            splits = {"train": data.train, "validation": data.validation}
            splits |= {"test": data.test} if config.test else {}
            scored = {name: score(net, split, loss) for name, split in splits.items() if split}
        if judged := scored.get("test" if config.test else "validation"):
            predictions.write(folder, judged)
        record = Record(
            status="finished",
            architecture=config.model.name,
            recipe=config.recipe.name,
            data=config.data.name,
            data_title=data.title,
            seed=config.seed,
            variant=variant(config),
            label=label(config),
            parameters=sum(p.numel() for p in net.parameters() if p.requires_grad),
            split_digest=data.split_digest,
            images={name: len(each.labels) for name, each in scored.items()},
            scores={name: measure(each) for name, each in scored.items()},
            confusion=scored["test"].confusion if config.test else None,
            misclassified=mask(scored["test"].misclassified) if config.test else None,
            epochs=final["epoch"] + 1,
            kept_epoch=checkpoint.read(self.kept)["epoch"] + 1,
            checkpoint=str(self.kept.relative_to(folder)),
            weights_sha256=checkpoint.weights_sha256(net.state_dict()),
            history=final["history"],
            seconds=self.seconds | watch.seconds | _seconds_of_training(final),
            device=provenance.device(device) + ", bf16 emulated" * emulates_bf16(config),
            precision=config.trainer["precision"],
            started=self.started.isoformat(timespec="seconds"),
            interrupted=self.metadata["interrupted"],
            provenance=self.provenance,
            config=config.settings,
        )
        log(loggers, record)
        record.write(folder)  # last of all: a run that has one is finished
        self.last.with_name(PREVIOUS).unlink(missing_ok=True)
        return record

    @contextmanager
    def unless_diverged(self) -> Iterator[None]:
        """Leave diverged.json in the folder of a training that did, and no record."""
        try:
            yield
        except DivergedError as error:
            if error.seed == self.config.seed:
                values = {
                    "version": 1,
                    "status": "diverged",
                    "architecture": self.config.model.name,
                    "seed": error.seed,
                    "epoch": error.epoch,
                    "learning_rate": error.rate,
                    "provenance": asdict(self.provenance),
                    "config": self.config.settings,
                }
                write_values(self.folder / "diverged.json", values)
            raise


def rehearse(config: Config) -> None:
    """Run a few batches, as trainer.fast_dev_run says, and leave nothing.

    Raises:
        UserError: The data cannot be had, or a setting is impossible.
    """
    prepare(config, rehearsal=True)
    classifier = assemble.classifier(config, assemble.network(config))
    data = assemble.data_module(config, assemble.chunk(config, classifier.net))
    read(data, config)
    with tempfile.TemporaryDirectory() as folder, arithmetic(config):
        trainer = assemble.trainer(config, Path(folder), [], validate=bool(data.validation))
        trainer.fit(classifier, data)


def prepare(config: Config, *, rehearsal: bool = False) -> None:
    """Refuse what this machine cannot do, and set torch's threads.

    Raises:
        UserError: The accelerator is not there, or nothing would be left of the run.
    """
    if config.trainer.get("fast_dev_run") and not rehearsal:
        raise UserError("trainer.fast_dev_run: leaves no run; use experiments.run or `rehearse`")
    assemble.check_accelerator(config.trainer["accelerator"])
    if emulates_bf16(config):
        sys.stderr.write(
            "trainer.precision=bf16-mixed: this processor has no bf16 instructions; it computes "
            "in float32 and rounds, a little slower than with 32-true\n"
        )
    if config.trainer["threads"]:
        torch.set_num_threads(config.trainer["threads"])


def read(data: MNISTDataModule, config: Config) -> None:
    """Read the data, and refuse what cannot be trained with them.

    Raises:
        UserError: The data cannot be had, or a setting is impossible.
    """
    data.setup()
    if config.recipe.keep == "best" and not data.validation:
        raise UserError("recipe.keep=best: nothing is held out; set recipe.validation, say to 0.1")
    with tempfile.TemporaryDirectory() as folder:  # what Lightning refuses leaves nothing behind
        assemble.trainer(config, Path(folder), [], validate=bool(data.validation))


def _seconds_of_training(final: dict[str, Any]) -> dict[str, float]:
    """Read the time of all epochs, those before an interruption included, from a checkpoint."""
    return {"training": final["callbacks"]["Timer"]["time_elapsed"]["train"]}


def log(loggers: Sequence[Logger], record: Record) -> None:
    """Give the loggers what is known only at the end: settings beside test metrics."""
    final = {f"test/{name}": value for name, value in record.scores.get("test", {}).items()}
    for logger in loggers:
        logger.log_metrics(charted(final), step=record.epochs)
        if isinstance(logger, TensorBoardLogger):
            hparams.log(logger, record)
        else:
            logger.log_hyperparams(hparams.settings(record))
        logger.finalize("success")
