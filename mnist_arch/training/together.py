"""Several seeds of one network trained at once, each as if it were alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from pytorch_lightning.loggers import Logger
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from mnist_arch.data.batches import StackedChunks, Step
from mnist_arch.data.splits import Split
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed, generator
from mnist_arch.training import curvature
from mnist_arch.training.callbacks import Checkpoints, checkpoint_file
from mnist_arch.training.classifier import (
    UNFINISHED,
    Classifier,
    Counted,
    DivergedError,
    Phase,
    charted,
)
from mnist_arch.training.optimizers import SDLM, KerasAdam, parameter_groups
from mnist_arch.training.stack import Stack
from mnist_arch.training.update import Clipping, Update

# Optimisers that treat each number by itself, so that copies do not feel each other.
ELEMENTWISE = (
    *(KerasAdam, SDLM, torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam),
    *(torch.optim.RAdam, torch.optim.Adamax, torch.optim.Adagrad, torch.optim.Adadelta),
    *(torch.optim.RMSprop, torch.optim.Rprop),
)


class Together(Classifier):
    """Trains copies of one network, one for each seed, in one stack.

    Each copy has its own starting weights, order, augmentation and dropout, and ends as if it had
    been trained alone, up to rounding; on a GPU, up to what dropout draws, too.

    Args:
        networks: With the starting weights of each seed.
        optimizer: Makes the optimiser from parameter groups; it must be one of ELEMENTWISE.
        schedule: Makes the schedule of the learning rate, which all copies share.
        loss: A mean over images.
        l2: Keras's l2(c) on every kernel.
        clipping: Of each copy's gradient, None for none.
        seeds: Draw the dropout of each copy.
        loggers: Of each copy.

    Attributes:
        histories: For each copy what `Classifier.history` is for one.
    """

    net: Stack  # type: ignore[assignment]

    def __init__(
        self,
        networks: Sequence[Network],
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        loss: curvature.Loss | None = None,
        l2: float = 0.0,
        clipping: Clipping | None = None,
        seeds: Sequence[int],
        loggers: Sequence[Sequence[Logger]] = (),
    ) -> None:
        super().__init__(networks[0], optimizer, schedule, loss=loss, l2=l2, clipping=clipping)
        self.network = [networks[0]]  # in a list, so that it is no submodule
        self.net = Stack(networks)
        self.seeds, self.copy_loggers = list(seeds), loggers
        self.histories: list[dict[str, list[float]]] = [{} for _ in seeds]

    @override
    def configure_optimizers(self) -> Any:
        ours = dict(zip(self.net.names, self.net.weights, strict=True))
        names = {parameter: name for name, parameter in self.network[0].named_parameters()}
        groups = parameter_groups(self.network[0], self.l2)
        for group in groups:
            group["params"] = [ours[names[parameter]] for parameter in group["params"]]
        return self._with_schedule(self.optimizer(groups))

    @override
    def _seed_dropout(self) -> None:
        self._draws = [
            torch.Generator(self.device).manual_seed(
                derived_seed(seed, "dropout", self.current_epoch)
            )
            for seed in self.seeds
        ]

    @override
    def _dropout(self) -> Tensor:
        return torch.stack([draws.get_state() for draws in self._draws])

    @override
    def _set_dropout(self, state: Tensor) -> None:
        for draws, own in zip(self._draws, state, strict=True):
            draws.set_state(own.clone())  # torch would read a view from its base's beginning

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.histories
        self._save_unfinished(checkpoint)
        checkpoint["state_dict"] = {
            f"net.{name}": value for name, value in self.net.network_state().items()
        }

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.histories = checkpoint["history"]
        self._load_unfinished(checkpoint)
        self.net.load_network_state(
            {name.removeprefix("net."): value for name, value in checkpoint["state_dict"].items()}
        )
        checkpoint["state_dict"] = self.state_dict()

    @override
    def _finished_epochs(self) -> list[tuple[Sequence[Any], dict[str, list[float]]]]:
        return list(zip(self.copy_loggers, self.histories, strict=False))

    @override
    def _make_update(self) -> Update:
        optimizer = self.trainer.optimizers[0]
        assert isinstance(optimizer, ELEMENTWISE)

        def update(step: Step) -> tuple[Tensor, Tensor]:
            for parameter in self.net.weights:
                parameter.grad = None
            scores = self.net(step.images, self.net.masks(step.labels.shape[1], self._draws))
            # The mean over all copies' images, so many times, is the sum of the copies' means.
            loss = self.loss(scores.flatten(0, 1), step.labels.flatten()) * len(self.seeds)
            loss.backward()
            if self.clipping:
                self._clip(self.clipping)
            optimizer.step()
            return scores.detach(), loss.detach()

        return update

    def _clip(self, clipping: Clipping) -> None:
        gradients = [weight.grad for weight in self.net.weights if weight.grad is not None]
        if clipping.algorithm == "value":
            torch._foreach_clamp_min_(gradients, -clipping.limit)
            torch._foreach_clamp_max_(gradients, clipping.limit)
            return
        squares = torch.stack([each.flatten(1).square().sum(1) for each in gradients])
        factors = (clipping.limit / (squares.sum(0).sqrt() + 1e-6)).clamp(max=1)  # as torch does
        for each in gradients:
            each.mul_(factors.view(-1, *[1] * (each.ndim - 1)))

    @override
    def _evaluate(self, batch: Split) -> None:
        scores = self.net(batch.images)
        self._count([(batch, scores, scores)])

    @override
    def _count(self, batches: Sequence[tuple[Any, Tensor, Tensor]]) -> None:
        parts, scores, _ = zip(*batches, strict=True)
        all_scores = torch.cat(scores, dim=1)
        labels = torch.cat([part.labels for part in parts], dim=-1).expand(all_scores.shape[:2])
        count = labels.shape[1]
        pairs = zip(all_scores, labels, strict=True)
        loss = torch.stack([self.loss(*pair) for pair in pairs]).double() * count
        errors = (all_scores.argmax(2) != labels).sum(1)
        self._counted.append(torch.stack([loss, errors, torch.full_like(loss, count)]))

    @override
    def _diverge(self) -> None:
        finite = self._counted[-1][0].isfinite().tolist()
        raise DivergedError(self.current_epoch + 1, self._rate, self.seeds[finite.index(False)])

    @override
    def _log(self, phase: Phase, counted: Tensor) -> None:
        copies = [Counted(*each).metrics(phase) for each in counted.T.tolist()]
        for number, metrics in enumerate(copies):
            if phase == "train":
                metrics["learning_rate"] = self._rate
            for name, value in metrics.items():
                self.histories[number].setdefault(name, []).append(value)
            for logger in self.copy_loggers[number] if self.copy_loggers else ():
                logger.log_metrics(charted(metrics), step=self.current_epoch + 1)
        means = {
            name: sum(metrics[name] for metrics in copies) / len(copies) for name in copies[0]
        }
        self.log_dict(means, logger=False)


class MeasureCurvatures(pl.Callback):
    """Measures before each epoch the curvature of each copy; see `classifier.MeasureCurvature`."""

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Together)
        if pl_module.steps:
            return
        optimizer, chunks = trainer.optimizers[0], trainer.train_dataloader
        assert isinstance(optimizer, SDLM)
        assert isinstance(chunks, StackedChunks)
        stack, measured = pl_module.net, []
        for number, seed in enumerate(pl_module.seeds):
            net = pl_module.network[0].to(pl_module.device)
            net.load_state_dict(
                {name: value[number] for name, value in stack.network_state().items()}
            )
            draws = generator(seed, "curvature", trainer.current_epoch)
            images, labels = chunks.copies[number].sample(optimizer.patterns, draws)
            diagonal = curvature.measure(
                optimizer.curvature, net, images, labels, pl_module.loss, draws
            )
            measured.append([diagonal[parameter] for parameter in net.parameters()])
        stacked = map(torch.stack, zip(*measured, strict=True))
        optimizer.set_curvature(dict(zip(stack.weights, stacked, strict=True)))


class CheckpointsOfCopies(Checkpoints):
    """Saves each copy's checkpoints into its own run's folder, as if it had been trained alone.

    Args:
        keep: As for `Checkpoints`.
        every: Likewise.
        copies: How many there are.
    """

    state_key = "Checkpoints"  # what a run that is resumed alone looks for

    def __init__(self, keep: str, every: float, copies: int) -> None:
        super().__init__(Path(), keep, every)
        self.fewest: list[float] = [float("inf")] * copies

    @override
    def _save_best(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Together)
        errors = [history["validation/errors"][-1] for history in pl_module.histories]
        better = [k for k, fewest in enumerate(self.fewest) if errors[k] < fewest]
        for number in better:
            self.fewest[number] = errors[number]
        if better:
            trainer.save_checkpoint("best.ckpt", storage_options=better)

    @override
    def _save(self, trainer: pl.Trainer, name: str) -> None:
        trainer.save_checkpoint(name)  # `FilesOfCopies` knows where

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"fewest_errors": list(self.fewest)}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.fewest = state_dict["fewest_errors"]


class FilesOfCopies(CheckpointIO):
    """Writes the checkpoint of a stack as one for each copy, and reads it back from them.

    A copy's checkpoint is what its run would have written alone.

    Args:
        folders: Of each copy's checkpoints.
        sources: The files that the copies are resumed from.
        metadata: What each of them holds under the key ``mnist_arch``.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        metadata: Sequence[dict[str, Any]],
        sources: Sequence[Path] = (),
    ) -> None:
        self.folders, self.metadata, self.sources = folders, metadata, sources

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        for number in range(len(self.folders)) if storage_options is None else storage_options:
            self.folders[number].mkdir(exist_ok=True)
            own = self._copy(checkpoint, number) | {"mnist_arch": self.metadata[number]}
            with checkpoint_file(self.folders[number] / path) as unfinished:
                torch.save(own, unfinished)

    @override
    def load_checkpoint(
        self,
        path: Any,
        map_location: Any = None,
        weights_only: bool | None = None,  # they always are
    ) -> dict[str, Any]:
        copies = [
            torch.load(source, map_location="cpu", weights_only=True) for source in self.sources
        ]
        whole: dict[str, Any] = copies[0]
        whole["history"] = [each["history"] for each in copies]
        whole["state_dict"] = _stacked([each["state_dict"] for each in copies])
        for number, optimizer in enumerate(whole["optimizer_states"]):
            states = [each["optimizer_states"][number]["state"] for each in copies]
            for index in optimizer["state"]:
                optimizer["state"][index] = _stacked([state[index] for state in states])
        callbacks = [each["callbacks"] for each in copies]
        whole["callbacks"]["Checkpoints"] = {
            "fewest_errors": [each["Checkpoints"]["fewest_errors"] for each in callbacks]
        }
        if UNFINISHED in whole:
            parts = [each[UNFINISHED] for each in copies]
            counted = [each["counted"] for each in parts]
            if len({len(each) for each in counted}) > 1:  # one was alone, in chunks of its own
                counted = [each.sum(0, keepdim=True) for each in counted]
            whole[UNFINISHED]["counted"] = torch.stack(counted, dim=2)
            whole[UNFINISHED]["dropout"] = _stacked([each["dropout"] for each in parts])
        elapsed = whole["callbacks"]["Timer"]["time_elapsed"]
        for stage in elapsed:
            elapsed[stage] = sum(each["Timer"]["time_elapsed"][stage] for each in callbacks)
        return whole

    @override
    def remove_checkpoint(self, path: Any) -> None:
        for folder in self.folders:
            (folder / path).unlink(missing_ok=True)

    def _copy(self, checkpoint: dict[str, Any], number: int) -> dict[str, Any]:
        """Return one copy's part; of the time that all took, an equal share."""
        callbacks = dict(checkpoint["callbacks"])
        fewest = callbacks["Checkpoints"]["fewest_errors"][number]
        callbacks["Checkpoints"] = {"fewest_errors": fewest}
        elapsed = callbacks["Timer"]["time_elapsed"]
        callbacks["Timer"] = {
            "time_elapsed": {stage: each / len(self.folders) for stage, each in elapsed.items()}
        }
        own: dict[str, Any] = {}
        if UNFINISHED in checkpoint:
            unfinished = checkpoint[UNFINISHED]
            own[UNFINISHED] = unfinished | {
                "counted": unfinished["counted"][..., number].clone(),
                "dropout": _part(unfinished["dropout"], number),
            }
        return (
            checkpoint
            | own
            | {
                "history": checkpoint["history"][number],
                "state_dict": _part(checkpoint["state_dict"], number),
                "callbacks": callbacks,
                "optimizer_states": [
                    optimizer
                    | {"state": {i: _part(each, number) for i, each in optimizer["state"].items()}}
                    for optimizer in checkpoint["optimizer_states"]
                ],
            }
        )


def _part(state: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Take one copy's part of each tensor; what has no dimensions, such as a step, is shared."""
    return {
        name: value[number].clone() if isinstance(value, Tensor) and value.ndim else value
        for name, value in state.items()
    }


def _stacked(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: torch.stack([state[name] for state in states])
        if isinstance(value, Tensor) and value.ndim
        else value
        for name, value in states[0].items()
    }
