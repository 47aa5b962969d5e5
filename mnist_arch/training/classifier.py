"""The one Lightning module, for every architecture."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from mnist_arch.data.batches import Chunks, Step
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.heads import misclassified
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed, generator
from mnist_arch.training import curvature
from mnist_arch.training.compiled import CompiledSDLM
from mnist_arch.training.optimizers import SDLM, parameter_groups
from mnist_arch.training.quiet import quieten
from mnist_arch.training.schedules import ScheduledUpdate, SmoothSchedule
from mnist_arch.training.update import Clipping, GraphedUpdate, PlainUpdate, Update

Phase = Literal["train", "validation", "test"]
UNFINISHED = "unfinished_epoch"  # the key in a checkpoint of what an epoch has so far
WORTH_COMPILING = 20_000  # single patterns: without compiling they take some 30 s, compiling 15 s


class DivergedError(UserError):
    """The loss is no finite number any more.

    Attributes:
        epoch: In which that was seen, from 1.
        rate: The learning rate of that epoch.
        seed: Of the run.
    """

    def __init__(self, epoch: int, rate: float, seed: int) -> None:
        self.epoch, self.rate, self.seed = epoch, rate, seed
        super().__init__(
            f"seed {seed} diverged in epoch {epoch}, at a learning rate of {rate:g}; "
            "try a smaller recipe.optimizer.lr, or trainer.gradient_clip_val=1"
        )


class Counted(NamedTuple):
    """Sums over the images of an epoch."""

    loss: float
    errors: float
    images: float

    def metrics(self, phase: Phase) -> dict[str, float]:
        """Return the mean loss, the errors, and the accuracy in percent, under a phase's name."""
        return {
            f"{phase}/loss": self.loss / self.images,
            f"{phase}/errors": int(self.errors),
            f"{phase}/accuracy": 100 * (self.images - self.errors) / self.images,
        }


def charted(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Add errors in percent, for charts: of 92 and of 99.6 % accuracy both are read on one axis.

    >>> charted({"test/accuracy": 99.5})
    {'test/accuracy': 99.5, 'error_percent/test': 0.5}
    """
    accuracies = {
        name.removesuffix("/accuracy"): value
        for name, value in metrics.items()
        if name.endswith("/accuracy")
    }
    errors = {f"error_percent/{split}": 100 - value for split, value in accuracies.items()}
    return {**metrics, **errors}


class Classifier(pl.LightningModule):
    """Trains one network; for each epoch logs loss, errors and accuracy (percent).

    Lightning hands it training batches by the chunk (`data.batches.Chunks`), and it takes the
    optimiser's steps by itself: what Lightning does for each step would take longer than the step
    of a small network.

    Training metrics are running ones, as Keras prints them: each batch is counted with the weights
    that it was trained from. (Keras's loss includes the l2 penalty, this one never does.) Before
    an epoch is over nothing is copied from the device but, once a chunk, whether the loss is
    finite.

    Args:
        net: The network.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the schedule of the learning rate, which is stepped after each epoch; a
            `schedules.SmoothSchedule` moves before each step.
        loss: Of (N, 10) scores and (N,) labels; None for that of the network's head.
        l2: Keras's l2(c) on every kernel.
        clipping: Of the gradient, None for none.
        seed: Draws the dropout of each epoch.

    A checkpoint that is saved within an epoch is one of the last finished epoch to Lightning,
    which begins the next one as ever; what the epoch has so far is in it besides, and the steps
    that were taken are left out (`Chunks.taken`).

    Attributes:
        history: For each metric its value after each finished epoch; saved in checkpoints.
        steps: Of the current epoch that are taken.
    """

    def __init__(
        self,
        net: Network,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        loss: curvature.Loss | None = None,
        l2: float = 0.0,
        clipping: Clipping | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net, self.optimizer, self.schedule = net, optimizer, schedule
        self.loss, self.l2, self.seed = loss or net.head.loss, l2, seed
        self.clipping = clipping
        self.history: dict[str, list[float]] = {}
        self.steps = 0
        self._counted: list[Tensor] = []  # (3,) summed loss, errors, images

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        scores: Tensor = self.net(images)
        return scores

    @override
    def training_step(self, batch: Sequence[Step], batch_idx: int) -> None:
        steps = [(step, *self._update(step)) for step in batch]
        if counted := [each for each in steps if each[0].weight]:
            self._count(counted)
        if self._counted and not self._counted[-1][0].isfinite().all():
            self._diverge()
        self.steps += len(batch)
        # Lightning counts its own steps: those that it takes, and none of these.
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counter in (progress.total, progress.current):
            counter.ready += len(batch)
            counter.completed += len(batch)

    @override
    def validation_step(self, batch: Split, batch_idx: int) -> None:
        self._evaluate(batch)

    @override
    def test_step(self, batch: Split, batch_idx: int) -> None:
        self._evaluate(batch)

    @override
    def on_fit_start(self) -> None:
        if self.trainer.world_size > 1:  # each process is a new one, and they share the cores
            quieten()
            torch.set_num_threads(max(1, torch.get_num_threads() // self.trainer.num_devices))
        # Where a run is resumed, its loggers' files start anew.
        for loggers, history in self._finished_epochs():
            for logger in loggers:
                if isinstance(logger, CSVLogger | TensorBoardLogger):
                    for epoch in range(len(history.get("train/loss", ()))):
                        metrics = {name: values[epoch] for name, values in history.items()}
                        logger.log_metrics(charted(metrics), step=epoch + 1)

    @override
    def on_train_start(self) -> None:
        self._update = self._make_update()
        schedule = self.lr_schedulers()
        if isinstance(schedule, SmoothSchedule):
            steps = self.steps_of_an_epoch
            done = self.current_epoch * steps + self.steps
            self._update = ScheduledUpdate(self._update, schedule, steps=steps, done=done)

    @override
    def on_train_epoch_start(self) -> None:
        self._seed_dropout()
        if not self.steps:
            self._rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            return
        self._rate = self._unfinished["rate"]
        self._counted = [*self._unfinished["counted"].to(self.device)]
        dropout = self._unfinished["dropout"]
        if self.device.type in dropout:  # another kind of device has other draws anyway
            self._set_dropout(dropout[self.device.type])
        chunks: Any = self.trainer.train_dataloader
        chunks.taken = self.steps

    @override
    def on_validation_start(self) -> None:
        self._close("train")  # Lightning validates before it ends the epoch

    @override
    def on_validation_epoch_end(self) -> None:
        self._close("validation")

    @override
    def on_train_epoch_end(self) -> None:
        self._close("train")
        self.steps = 0
        schedule: Any = self.lr_schedulers()
        if schedule:
            schedule.step()

    @override
    def on_test_epoch_end(self) -> None:
        self._close("test")

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        self._save_unfinished(checkpoint)

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]
        self._load_unfinished(checkpoint)

    @override
    def configure_optimizers(self) -> Any:
        return self._with_schedule(self.optimizer(parameter_groups(self.net, self.l2)))

    def _with_schedule(self, optimizer: Optimizer) -> Any:
        return ([optimizer], [self.schedule(optimizer)]) if self.schedule else optimizer

    def _save_unfinished(self, checkpoint: dict[str, Any]) -> None:
        """Within an epoch, save it apart, and of Lightning's own state that before it began."""
        if not self.steps:
            return
        checkpoint[UNFINISHED] = {
            "steps": self.steps,
            "rate": self._rate,
            "counted": torch.stack(self._counted).cpu(),
            "dropout": {self.device.type: self._dropout()},
        }
        checkpoint["epoch"] -= 1
        for counted in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            counted.update(dict.fromkeys(("ready", "started", "processed"), counted["completed"]))

    def _load_unfinished(self, checkpoint: dict[str, Any]) -> None:
        self._unfinished = checkpoint.get(UNFINISHED, {"steps": 0})
        self.steps = self._unfinished["steps"]

    def _seed_dropout(self) -> None:
        """Seed it by the epoch, so that a resumed run drops the same units."""
        # Of several processes each drops its own.
        torch.manual_seed(
            derived_seed(self.seed, "dropout", self.current_epoch) + self.global_rank
        )

    def _dropout(self) -> Tensor:
        """Return the state of the generator that draws it: that of all things on the device."""
        return _random(self.device).get_rng_state()

    def _set_dropout(self, state: Tensor) -> None:
        _random(self.device).set_rng_state(state)

    def _finished_epochs(self) -> list[tuple[Sequence[Any], dict[str, list[float]]]]:
        """Return loggers, and the history that they log."""
        return [(self.loggers, self.history)]

    def _make_update(self) -> Update:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        alone = isinstance(self.trainer.strategy, SingleDeviceStrategy)
        optimizer, chunks = self.trainer.optimizers[0], self.trainer.train_dataloader
        graphed = alone and not scaler and self.device.type == "cuda"
        plain = (GraphedUpdate if graphed else PlainUpdate)(
            self.net,
            self.loss,
            optimizer,
            clipping=self.clipping,
            scaler=scaler,
            backward=Tensor.backward if alone and not scaler else self.manual_backward,
        )
        if (
            isinstance(optimizer, SDLM)
            and isinstance(chunks, Chunks)
            and chunks.batches.batch_size == 1
            and chunks.batches.size * (self.trainer.max_epochs or 0) >= WORTH_COMPILING
            and self.trainer.precision == "32-true"
            and self.device.type == "cpu"
            and not self.clipping
        ):
            return CompiledSDLM(self.net, self.loss, optimizer, otherwise=plain)
        return plain

    @property
    def steps_of_an_epoch(self) -> int:
        """How many there are."""
        chunks: Any = self.trainer.train_dataloader
        # Lightning may be told to train on fewer; it then is handed one batch at a time.
        return min(len(chunks.batches), int(self.trainer.num_training_batches) * chunks.length)

    def _evaluate(self, batch: Split) -> None:
        scores = self(batch.images)
        self._count([(batch, scores, self.loss(scores, batch.labels))])

    def _count(self, batches: Sequence[tuple[Any, Tensor, Tensor]]) -> None:
        """Count batches, each with its scores and its mean loss."""
        parts, scores, losses = zip(*batches, strict=True)
        labels = torch.cat([part.labels for part in parts])
        sizes = torch.tensor([len(part.labels) for part in parts], device=labels.device)
        loss = torch.stack(losses).double() @ sizes.double()
        errors = misclassified(torch.cat(scores), labels).sum()
        self._counted.append(torch.stack([loss, errors, sizes.sum()]))

    def _close(self, phase: Phase) -> None:
        """Sum up what was counted since the last call, if anything, and log the sums."""
        if not self._counted:
            return
        total = torch.stack(self._counted).sum(0)
        self._counted = []
        if phase == "train":  # of which each process has seen its share
            total = self.trainer.strategy.reduce(total, reduce_op="sum")
        self._log(phase, total)

    def _diverge(self) -> None:
        raise DivergedError(self.current_epoch + 1, self._rate, self.seed)

    def _log(self, phase: Phase, counted: Tensor) -> None:
        metrics = Counted(*counted.tolist()).metrics(phase)
        if phase == "train":
            metrics["learning_rate"] = self._rate
        if phase == "test":
            self.log_dict(metrics)
            return
        for name, value in metrics.items():
            self.history.setdefault(name, []).append(value)
        self.log_dict(metrics, logger=False)  # for callbacks; the loggers count in epochs:
        for logger in self.loggers:
            logger.log_metrics(charted(metrics), step=self.current_epoch + 1)


def _random(device: torch.device) -> Any:
    """Return the module of torch that has the random state of a device."""
    return torch if device.type == "cpu" else torch.get_device_module(device)


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
        if pl_module.steps:  # it was measured when the epoch began, and is the optimiser's state
            return
        net, optimizer = pl_module.net, trainer.optimizers[0]
        batches: Any = trainer.train_dataloader
        assert isinstance(optimizer, SDLM)
        draws = generator(self.seed, "curvature", trainer.current_epoch)
        images, labels = batches.batches.sample(optimizer.patterns, draws)
        optimizer.set_curvature(
            curvature.measure(optimizer.curvature, net, images, labels, pl_module.loss, draws)
        )
