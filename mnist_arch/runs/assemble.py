"""From settings to objects."""

import inspect
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator
from pytorch_lightning.loggers import Logger
from torch import nn

from mnist_arch.data.datamodule import MNISTDataModule
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import build
from mnist_arch.models.layers import BatchNorm
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed
from mnist_arch.runs.config import Config
from mnist_arch.training.callbacks import Checkpoints
from mnist_arch.training.classifier import Classifier, MeasureCurvature, PatternByPattern
from mnist_arch.training.optimizers import SDLM, parameter_groups

NORMS = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d)  # cannot train on single images
SINGLE_PATTERNS = 100  # that Lightning is handed at once, where each is an update of its own
# Arguments of Lightning's Trainer that other settings decide.
ELSEWHERE = {
    "max_epochs": "set recipe.max_epochs",
    "logger": "choose logger=tensorboard, csv or none",
    "callbacks": "choose callbacks=early_stopping, or add one with +callbacks.NAME._target_=...",
    "default_root_dir": "set runs",
    "enable_checkpointing": "every run keeps its checkpoints",
    "limit_test_batches": "set test=false to leave the test images unread",
}


def check_accelerator(name: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        UserError: There is none of that kind.
    """
    cuda, mps = CUDAAccelerator.is_available(), MPSAccelerator.is_available()
    available = {"gpu": cuda or mps, "cuda": cuda, "mps": mps}
    if not available.get(name, True):
        raise UserError(f"trainer.accelerator={name}: there is none here; use auto or cpu")


def on_cpu(accelerator: str) -> bool:
    """Whether the CPU trains, which it does where there is nothing else."""
    others = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not others)


def data_module(config: Config) -> MNISTDataModule:
    """Build the data module; nothing is read yet."""
    recipe, data = config.recipe, config.data
    return MNISTDataModule(
        name=data.name,
        root=data.root,
        batch_size=recipe.batch_size if recipe.batch_size > 1 else SINGLE_PATTERNS,
        validation=recipe.validation,
        size=data.size,
        split_seed=data.split_seed,
        seed=config.seed,
        augmentation=_build(recipe.augmentation, "recipe.augmentation"),
    )


def network(config: Config) -> Network:
    """Build the network with the starting weights of the run's seed."""
    initialize = _partial(config.recipe.initialization, "recipe.initialization")
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(config.seed, "initialization"))
        net = build(config.model.name)
        if initialize:
            _call(initialize, "recipe.initialization", net)
    # On a CPU tanh_cnn trains half as fast again in this layout; the others do not mind.
    return net.to(memory_format=torch.channels_last)


def classifier(config: Config, net: Network) -> Classifier:
    """Build the Lightning module; impossible numbers are refused before any work is done."""
    recipe = config.recipe
    optimizer = _partial(recipe.optimizer, "recipe.optimizer")
    schedule = _partial(recipe.schedule, "recipe.schedule")
    loss = _partial(recipe.loss, "recipe.loss")
    if optimizer is None:
        raise UserError("recipe.optimizer: missing; choose one, as in recipe/optimizer=adamw")
    rehearsal = _call(optimizer, "recipe.optimizer", parameter_groups(net, recipe.l2))
    scheduler = _call(schedule, "recipe.schedule", rehearsal) if schedule else None
    rehearsal.step()  # without gradients nothing moves
    if scheduler:
        _call(scheduler.step, "recipe.schedule")
    if loss:
        _call(loss, "recipe.loss", torch.zeros(1, 10), torch.zeros(1, dtype=torch.int64))
    kind = Classifier
    if recipe.batch_size == 1:
        kind = PatternByPattern
        if any(isinstance(module, NORMS) for module in net.modules()):
            raise UserError(
                f"recipe.batch_size=1: {config.model.name} normalises over a batch; set 2 or more"
            )
        if config.trainer["precision"] == "16-mixed":
            raise UserError("recipe.batch_size=1: trainer.precision must be 32-true or bf16-mixed")
        if config.trainer["gradient_clip_val"]:
            raise UserError("recipe.batch_size=1: trainer.gradient_clip_val must be null")
    return kind(net, optimizer, schedule, loss=loss, l2=recipe.l2, seed=config.seed)


def trainer(
    config: Config, folder: Path, callbacks: Sequence[pl.Callback], *, validate: bool
) -> pl.Trainer:
    """Build Lightning's trainer, which logs and saves after each epoch into a run's folder."""
    _quieten_lightning()
    arguments = {key: value for key, value in config.trainer.items() if key != "threads"}
    known = [each for each in inspect.signature(pl.Trainer).parameters if each not in ELSEWHERE]
    for key in arguments:
        if key in ELSEWHERE:
            raise UserError(f"trainer.{key}: {ELSEWHERE[key]}")
        if key not in known:
            raise UserError(f"no setting 'trainer.{key}'; {suggestion(key, known)}")
    if arguments["devices"] != 1:
        raise UserError(f"trainer.devices={arguments['devices']}: a run uses one device; use 1")
    own: dict[str, Any] = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 0,  # epochs are logged, steps never
        "limit_val_batches": 1.0 if validate else 0,
        "num_sanity_val_steps": 0,
    }
    chosen = [*callbacks, *_callbacks(config, validate=validate)]
    chosen.append(Checkpoints(folder / "checkpoints", config.recipe.keep))
    if resolve_name(config.recipe.optimizer["_target_"]) is SDLM:
        chosen.append(MeasureCurvature(config.seed))
    if "deterministic" not in arguments:
        # As deterministic="warn", which would import torch's compiler: a second and a half.
        torch.set_deterministic_debug_mode("warn")
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        own["benchmark"] = False
    settings = own | arguments
    settings |= {"max_epochs": config.recipe.max_epochs, "callbacks": chosen}
    settings |= {"logger": loggers(config, folder) or False, "default_root_dir": folder}
    try:
        return pl.Trainer(**settings)
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error


def loggers(config: Config, folder: Path) -> list[Logger]:
    """Build the loggers; "{folder}" in their settings is the run's folder."""
    filled = {
        name: {
            key: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
            for key, value in settings.items()
        }
        for name, settings in config.logger.items()
    }
    return [_build(settings, f"logger.{name}") for name, settings in filled.items()]


def _callbacks(config: Config, *, validate: bool) -> list[pl.Callback]:
    for name, settings in config.callbacks.items():
        monitor = str(settings.get("monitor", ""))
        if monitor.startswith("validation/") and not validate:
            raise UserError(
                f"callbacks.{name}.monitor={monitor}: nothing is held out; "
                "set recipe.validation, say to 0.1"
            )
    return [_build(each, f"callbacks.{name}") for name, each in config.callbacks.items()]


def _build(settings: dict[str, Any] | None, where: str) -> Any:
    """Instantiate settings; None for None."""
    make = _partial(settings, where)
    return _call(make, where) if make else None


def _partial(settings: dict[str, Any] | None, where: str) -> Callable[..., Any] | None:
    """Bind settings to their ``_target_``, whose arguments they must be.

    Raises:
        UserError: There is no such target, or it has no such argument.
    """
    if settings is None:
        return None
    if not isinstance(settings, dict) or "_target_" not in settings:
        raise UserError(f"{where}: needs a _target_, the full name of what is to be built")
    target = str(settings["_target_"])
    try:
        known = inspect.signature(resolve_name(target)).parameters
    except (ImportError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{where}._target_: no {target!r}{_near(target)}") from error
    if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values()):
        for key in settings.keys() - {"_target_"}:
            if key not in known:
                raise UserError(f"no setting '{where}.{key}'; {suggestion(key, known)}")
    try:
        return instantiate(settings, _partial_=True)
    except InstantiationException as error:
        raise UserError(f"{where}: {' '.join(str(error).split())}") from error


def _near(target: str) -> str:
    """Suggest a name of the target's module, if there is such a module."""
    module, _, name = target.rpartition(".")
    try:
        public = [each for each in dir(import_module(module)) if not each.startswith("_")]
        return f" in {module}; {suggestion(name, public)}"
    except (ImportError, ValueError, AttributeError):
        return "; it needs its full name, such as torch.optim.AdamW"


def _call(make: Callable[..., Any], where: str, *arguments: Any) -> Any:
    """Call a constructor whose numbers a user may have mistyped."""
    try:
        return make(*arguments)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{where}: {error}") from error


def _quieten_lightning() -> None:
    """Leave standard error to progress and to what a user must know."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # The whole data set is one tensor in memory: there is nothing for workers to fetch.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # Most sources hold nothing out.
    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")
    # A resumed run finds the files that it left; its CSV file is written again whole.
    warnings.filterwarnings("ignore", ".*directory .* exists and is not empty")
    # Lightning 2.6 asks torch's pytrees in a way that torch 2.15 wants changed.
    warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")
