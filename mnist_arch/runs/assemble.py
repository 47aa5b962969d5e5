"""From settings to objects."""

import inspect
import os
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
from mnist_arch.models import blank, build
from mnist_arch.models.layers import BatchNorm
from mnist_arch.models.network import Network
from mnist_arch.randomness import derived_seed
from mnist_arch.runs.arithmetic import ArithmeticOfEachProcess, on_cpu
from mnist_arch.runs.config import Config
from mnist_arch.training.callbacks import Checkpoints
from mnist_arch.training.classifier import Classifier, MeasureCurvature
from mnist_arch.training.layout import channels_last
from mnist_arch.training.optimizers import SDLM, parameter_groups
from mnist_arch.training.quiet import quieten
from mnist_arch.training.together import (
    ELEMENTWISE,
    CheckpointsOfCopies,
    FilesOfCopies,
    MeasureCurvatures,
    Together,
)
from mnist_arch.training.update import Clipping

NORMS = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d)  # cannot train on single images
# Batches that training is handed at a time, so that what Lightning does for each chunk (2 ms) is
# little beside a chunk's steps (0.5 ms each for the smallest network), and no chunk takes seconds.
CHUNK, CHUNK_OF_A_SLOW_NETWORK = 200, 20
# Arguments of Lightning's Trainer that count its batches: with these a chunk is a single batch.
COUNTED = (
    *("max_steps", "min_steps", "limit_train_batches", "overfit_batches", "val_check_interval"),
    "fast_dev_run",
)
STRATEGIES = ("ddp", "ddp_spawn")
# Settings among the trainer's that are not handed to Lightning.
OURS = ("threads", "gradient_clip_val", "gradient_clip_algorithm", "save_every")
# Arguments of Lightning's Trainer that other settings decide.
ELSEWHERE = {
    "max_epochs": "set recipe.max_epochs",
    "logger": "choose logger=tensorboard, csv or none",
    "accumulate_grad_batches": "set recipe.batch_size, which is the same",
    "callbacks": "choose callbacks=early_stopping, or add one with +callbacks.NAME._target_=...",
    "default_root_dir": "set runs",
    "num_nodes": "a run stays on one machine; a sweep does not: launcher=submitit",
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


def chunk(config: Config, net: Network) -> int:
    """Return how many batches training is handed at a time."""
    if any(config.trainer.get(key) is not None for key in COUNTED):
        return 1
    slow = net.is_convolutional and config.recipe.batch_size > 1
    return CHUNK_OF_A_SLOW_NETWORK if slow or config.seeds else CHUNK


def data_module(config: Config, chunk: int = 1) -> MNISTDataModule:
    """Build the data module; nothing is read yet."""
    recipe, data = config.recipe, config.data
    return MNISTDataModule(
        name=data.name,
        root=data.root,
        batch_size=recipe.batch_size,
        validation=recipe.validation,
        size=data.size,
        split_seed=data.split_seed,
        fold=data.fold,
        seed=config.seeds or config.seed,
        augmentation=_build(config, recipe.augmentation, "recipe.augmentation"),
        chunk=chunk,
        reshuffle=recipe.reshuffle,
        extra=recipe.extra,
    )


def network(config: Config) -> Network:
    """Build the network with the starting weights of the run's seed."""
    initialize = _partial(config, config.recipe.initialization, "recipe.initialization")
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(config.seed, "initialization"))
        net = build(config.model.name, config.model.arguments)
        if initialize:
            _call(initialize, "recipe.initialization", net)
    if config.recipe.standardize:
        net.standardize()
    # On a CPU tanh_cnn trains half as fast again in this layout, single images a fifth slower; the
    # others do not mind.
    return channels_last(net) if config.recipe.batch_size > 1 else net


def classifier(config: Config, net: Network) -> Classifier:
    """Build the Lightning module; impossible numbers are refused before any work is done."""
    parts = _parts(config, net)
    return Classifier(net, seed=config.seed, **parts)


def together(configs: Sequence[Config], folders: Sequence[Path]) -> Together:
    """Build the Lightning module of several seeds; ``configs`` differ in nothing else.

    Args:
        configs: One for each seed.
        folders: Of their runs, for the loggers.
    """
    networks = [network(config) for config in configs]
    seeds = [config.seed for config in configs]
    copies = [loggers(*each) for each in zip(configs, folders, strict=True)]
    return Together(networks, seeds=seeds, loggers=copies, **_parts(configs[0], networks[0]))


def check_together(config: Config) -> None:
    """Refuse what is no property of each copy by itself.

    Raises:
        UserError: Copies that train together would feel each other.
    """
    alone = "; train them one by one, with -m seed=range(0,8)"
    optimizer = str(config.recipe.optimizer.get("_target_"))
    if resolve_name(optimizer) not in ELEMENTWISE:
        raise UserError(f"seeds: {optimizer} is not known to treat each weight by itself{alone}")
    if config.trainer["precision"] == "16-mixed":
        raise UserError(f"seeds: trainer.precision=16-mixed scales the loss of all copies{alone}")
    if config.trainer["devices"] != 1:
        raise UserError(f"seeds: trainer.devices must be 1{alone}")
    norms = any(isinstance(module, NORMS) for module in blank(config.model.name).modules())
    if norms and not on_cpu(config.trainer["accelerator"]):
        name = config.model.name  # vmap of torch 2.11 has no batch normalisation on a GPU
        raise UserError(f"seeds: {name} normalises over a batch, which a GPU cannot stack{alone}")
    for name in config.callbacks:
        raise UserError(f"seeds: callbacks such as {name} follow one run{alone}")


def _parts(config: Config, net: Network) -> dict[str, Any]:
    recipe = config.recipe
    optimizer = _partial(config, recipe.optimizer, "recipe.optimizer")
    schedule = _partial(config, recipe.schedule, "recipe.schedule")
    loss = _partial(config, recipe.loss, "recipe.loss")
    if optimizer is None:
        raise UserError("recipe.optimizer: missing; choose one, as in recipe/optimizer=adamw")
    rehearsal = _call(optimizer, "recipe.optimizer", parameter_groups(net, recipe.l2))
    scheduler = _call(schedule, "recipe.schedule", rehearsal) if schedule else None
    rehearsal.step()  # without gradients nothing moves
    if scheduler:
        _call(scheduler.step, "recipe.schedule")
    if loss:
        _call(loss, "recipe.loss", torch.zeros(1, 10), torch.zeros(1, dtype=torch.int64))
    if recipe.batch_size == 1 and any(isinstance(module, NORMS) for module in net.modules()):
        raise UserError(
            f"recipe.batch_size=1: {config.model.name} normalises over a batch; set 2 or more"
        )
    return {
        "optimizer": optimizer,
        "schedule": schedule,
        "loss": loss,
        "l2": recipe.l2,
        "clipping": _clipping(config),
    }


def trainer(
    config: Config,
    folder: Path,
    callbacks: Sequence[pl.Callback],
    *,
    validate: bool,
    files: FilesOfCopies | None = None,
) -> pl.Trainer:
    """Build Lightning's trainer, which logs and saves after each epoch into a run's folder.

    Given the ``files`` of copies that train together, it saves into theirs, and they log.
    """
    quieten()
    arguments = {key: value for key, value in config.trainer.items() if key not in OURS}
    known = [each for each in inspect.signature(pl.Trainer).parameters if each not in ELSEWHERE]
    for key in arguments:
        if key in ELSEWHERE:
            raise UserError(f"trainer.{key}={arguments[key]}: {ELSEWHERE[key]}")
        if key not in known:
            raise UserError(f"no setting 'trainer.{key}'; {suggestion(key, known)}")
    each_process = []
    if arguments["devices"] != 1:
        arguments["strategy"] = _strategy(config)
        each_process.append(ArithmeticOfEachProcess(config))
    own: dict[str, Any] = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 0,  # epochs are logged, steps never
        "limit_val_batches": 1.0 if validate else 0,
        "num_sanity_val_steps": 0,
    }
    chosen = [*each_process, *callbacks, *_callbacks(config, validate=validate)]
    save_every = config.trainer["save_every"]
    curved = resolve_name(config.recipe.optimizer["_target_"]) is SDLM
    if "deterministic" not in arguments:  # `arithmetic` sees to the rest
        own["benchmark"] = False
    settings = own | arguments | {"default_root_dir": folder}
    if files:
        copies = len(files.folders)
        chosen.append(CheckpointsOfCopies(config.recipe.keep, save_every, copies))
        chosen += [MeasureCurvatures()] if curved else []
        settings |= {"logger": False, "plugins": [files]}
    else:
        chosen.append(Checkpoints(folder / "checkpoints", config.recipe.keep, save_every))
        chosen += [MeasureCurvature(config.seed)] if curved else []
        settings |= {"logger": loggers(config, folder) or False}
    settings |= {"max_epochs": config.recipe.max_epochs, "callbacks": chosen}
    try:
        return pl.Trainer(**settings)
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error


def _strategy(config: Config) -> str:
    """Choose how several processes train together, each on its share of every batch."""
    devices, strategy = config.trainer["devices"], config.trainer.get("strategy", "ddp")
    if not isinstance(devices, int):
        raise UserError(f"trainer.devices={devices}: must be a number")
    if config.trainer["accelerator"] == "cpu" or not CUDAAccelerator.is_available():
        cores = len(os.sched_getaffinity(0))
        if devices > cores:
            raise UserError(f"trainer.devices={devices}: there are {cores} cores")
    if devices > config.recipe.batch_size:
        raise UserError(
            f"trainer.devices={devices}: batches of {config.recipe.batch_size} cannot be shared; "
            "set recipe.batch_size"
        )
    if any(isinstance(module, NORMS) for module in blank(config.model.name).modules()):
        raise UserError(
            f"trainer.devices={devices}: {config.model.name} normalises over a batch, of which "
            "each process would see a part; use 1"
        )
    if strategy not in STRATEGIES:
        raise UserError(f"trainer.strategy={strategy}: {suggestion(str(strategy), STRATEGIES)}")
    # The first process keeps the run's folder, and starts the others: where each ran the whole
    # command again, as Lightning's own "ddp" does, each would make a folder.
    return "ddp_spawn"


def loggers(config: Config, folder: Path) -> list[Logger]:
    """Build the loggers; "{folder}" in their settings is the run's folder."""
    filled = {
        name: {
            key: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
            for key, value in settings.items()
        }
        for name, settings in config.logger.items()
    }
    return [_build(config, settings, f"logger.{name}") for name, settings in filled.items()]


def _clipping(config: Config) -> Clipping | None:
    limit = config.trainer["gradient_clip_val"]
    algorithm = config.trainer.get("gradient_clip_algorithm") or "norm"
    if algorithm not in (known := ("norm", "value")):
        near = suggestion(str(algorithm), known)
        raise UserError(f"trainer.gradient_clip_algorithm={algorithm}: {near}")
    if limit is None:
        return None
    if not isinstance(limit, int | float) or not 0 < limit < float("inf"):
        raise UserError(f"trainer.gradient_clip_val={limit}: must be a number above 0")
    return Clipping(limit, algorithm)


def _callbacks(config: Config, *, validate: bool) -> list[pl.Callback]:
    for name, settings in config.callbacks.items():
        monitor = str(settings.get("monitor", ""))
        if monitor.startswith("validation/") and not validate:
            raise UserError(
                f"callbacks.{name}.monitor={monitor}: nothing is held out; "
                "set recipe.validation, say to 0.1"
            )
    return [_build(config, each, f"callbacks.{name}") for name, each in config.callbacks.items()]


def _build(config: Config, settings: dict[str, Any] | None, where: str) -> Any:
    """Instantiate settings; None for None."""
    make = _partial(config, settings, where)
    return _call(make, where) if make else None


def _partial(
    config: Config, settings: dict[str, Any] | None, where: str
) -> Callable[..., Any] | None:
    """Bind settings to their ``_target_``, whose arguments they must be.

    Raises:
        UserError: There is no such target, it has no such argument, or it is a way to something
            that is not trusted.
    """
    if settings is None:
        return None
    if not isinstance(settings, dict) or "_target_" not in settings:
        raise UserError(f"{where}: needs a _target_, the full name of what is to be built")
    target = str(settings["_target_"])
    try:
        found = resolve_name(target)
        known = inspect.signature(found).parameters
    except (ImportError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{where}._target_: no {target!r}{_near(target)}") from error
    if not config.trusts(home := str(found.__module__)):
        raise UserError(f"{where}._target_: {target!r} is of {home}, which may not be named here")
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
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise UserError(f"{where}: {error}") from error
