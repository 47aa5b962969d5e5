"""From settings to objects."""

import inspect
import logging
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn

from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import build
from mnist_arch.models.layers import BatchNorm
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed
from mnist_arch.runs.config import Config
from mnist_arch.training.callbacks import checkpoints
from mnist_arch.training.classifier import Classifier
from mnist_arch.training.optimizers import parameter_groups

NORMS = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d)  # cannot train on single images
SINGLE_PATTERNS = 100  # that Lightning is handed at once, where each is an update of its own


def check_accelerator(name: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        UserError: There is none of that kind.
    """
    mps = MPSAccelerator.is_available()
    available = {"gpu": CUDAAccelerator.is_available() or mps, "mps": mps}
    if not available.get(name, True):
        raise UserError(f"trainer.accelerator={name}: there is none here; use auto or cpu")


def data_module(config: Config) -> MNISTDataModule:
    """Build the data module; nothing is read yet."""
    recipe, data = config.recipe, config.data
    augment = partial_of(recipe.augmentation, "recipe.augmentation")
    return MNISTDataModule(
        name=data.name,
        root=data.root,
        batch_size=recipe.batch_size if recipe.batch_size > 1 else SINGLE_PATTERNS,
        validation=recipe.validation,
        size=data.size,
        split_seed=data.split_seed,
        seed=config.seed,
        augmentation=_made(augment, "recipe.augmentation") if augment else None,
    )


def network(config: Config) -> Network:
    """Build the network with the starting weights of the run's seed."""
    begin = partial_of(config.recipe.initialization, "recipe.initialization")
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(config.seed, "initialization"))
        net = build(config.model.name)
        if begin:
            _made(begin, "recipe.initialization", net)
    # On a CPU tanh_cnn trains half as fast again in this layout; the others do not mind.
    return net.to(memory_format=torch.channels_last)


def classifier(config: Config, net: Network) -> Classifier:
    """Build the Lightning module; impossible numbers are refused before any work is done."""
    recipe = config.recipe
    optimizer = partial_of(recipe.optimizer, "recipe.optimizer")
    schedule = partial_of(recipe.schedule, "recipe.schedule")
    assert optimizer is not None
    rehearsal = _made(optimizer, "recipe.optimizer", parameter_groups(net, recipe.l2))
    scheduler = _made(schedule, "recipe.schedule", rehearsal) if schedule else None
    rehearsal.step()  # without gradients nothing moves
    if scheduler:
        _made(scheduler.step, "recipe.schedule")
    update = 1 if recipe.batch_size == 1 else None
    if update and any(isinstance(module, NORMS) for module in net.modules()):
        raise UserError(
            f"recipe.batch_size=1: {config.model.name} normalises over a batch; set 2 or more"
        )
    if update and config.trainer.precision == "16-mixed":
        raise UserError("recipe.batch_size=1: trainer.precision must be 32-true or bf16-mixed")
    loss = partial_of(recipe.loss, "recipe.loss")
    if loss:
        _made(loss, "recipe.loss", torch.zeros(1, 10), torch.zeros(1, dtype=torch.int64))
    return Classifier(
        net, optimizer, schedule, loss=loss, l2=recipe.l2, seed=config.seed, update=update
    )


def trainer(
    config: Config, folder: Path, callbacks: list[pl.Callback], *, validate: bool
) -> pl.Trainer:
    """Build Lightning's trainer, which logs and saves after each epoch into a run's folder."""
    _quieten_lightning()
    return pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=1,
        precision=config.trainer.precision,
        max_epochs=config.recipe.max_epochs,
        deterministic="warn",
        logger=TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
        callbacks=[*callbacks, *checkpoints(folder / "checkpoints", config.recipe.keep)],
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=0,  # epochs are logged, steps never
        limit_val_batches=1.0 if validate else 0,
        num_sanity_val_steps=0,
    )


def partial_of(settings: dict[str, Any] | None, where: str) -> Callable[..., Any] | None:
    """Bind the settings to their ``_target_``, whose arguments they must be.

    Raises:
        UserError: There is no such target, or it has no such argument.
    """
    if settings is None:
        return None
    arguments = dict(settings)
    module, _, name = str(arguments.pop("_target_", "")).rpartition(".")
    try:
        target = getattr(import_module(module), name)
    except (ImportError, ValueError) as error:
        raise UserError(f"{where}._target_: {error}") from error
    except AttributeError as error:
        near = suggestion(name, dir(import_module(module)))
        raise UserError(f"{where}._target_: {module} has no {name!r}; {near}") from error
    known = inspect.signature(target).parameters
    for key in arguments:
        if key not in known:
            raise UserError(f"no setting '{where}.{key}'; {suggestion(key, known)}")
    return partial(target, **arguments)


def _quieten_lightning() -> None:
    """Leave standard error to progress and to what a user must know."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # The whole data set is one tensor in memory: there is nothing for workers to fetch.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # Most sources hold nothing out.
    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")
    # A run that goes on finds the checkpoints that it left.
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    # Lightning 2.6 asks torch's pytrees in a way that torch 2.15 wants changed.
    warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")


def _made(make: Callable[..., Any], where: str, *arguments: Any) -> Any:
    """Call a constructor whose numbers a user may have mistyped."""
    try:
        return make(*arguments)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{where}: {error}") from error
