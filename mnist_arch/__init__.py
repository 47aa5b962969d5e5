"""The architectures published for MNIST, rebuilt exactly.

    >>> import mnist_arch
    >>> mnist_arch.Reader().predict("photo.jpg")  # weights that come with the package
    >>> mnist_arch.load("lenet5").predict("photo.jpg")
    >>> net = mnist_arch.build("lenet5")  # untrained: (N, 1, 28, 28) raw pixels -> (N, 10) scores
    >>> sum(p.numel() for p in net.parameters())
    60806
    >>> run = mnist_arch.train("lenet5", seed=0, overrides=["recipe.max_epochs=1"])
    >>> run.record.score("test", "accuracy")
    >>> digits = mnist_arch.load(run.folder)(images).argmax(1)

This module is for users; nothing inside the package imports it. The rooms, each of which imports
only those before it: ``models`` (the networks and what their scores mean), ``data`` (MNIST and how
it is split, batched and augmented), ``training`` (recipes and the Lightning module), ``runs``
(settings, training, records and checkpoints), ``inference`` (trained networks at work),
``analysis`` (what records say together), ``reports`` (tables, pages and figures), ``page``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_arch.models import ARCHITECTURES

if TYPE_CHECKING:  # torch takes two seconds to import: only those who build a network wait for it
    import pytorch_lightning as pl

    from mnist_arch.inference.predictor import Predictor, Reader
    from mnist_arch.models.network import Network
    from mnist_arch.runs.config import Config
    from mnist_arch.runs.shipped import Shipped
    from mnist_arch.runs.train import Run

__all__ = [
    "Reader",
    "architectures",
    "build",
    "load",
    "resume",
    "train",
    "train_together",
    "weights",
]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import the reader, which needs torch, when somebody asks for it."""
    if name == "Reader":
        from mnist_arch.inference.predictor import Reader

        return Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def architectures() -> tuple[str, ...]:
    """Return the names that `build` knows."""
    return tuple(ARCHITECTURES)


def build(
    name: str, arguments: Mapping[str, Any] | None = None, *, weights: str | None = None
) -> "Network":
    """Build a network: (N, 1, 28, 28) raw pixels, 0 to 255, to (N, 10) scores.

    >>> net = build("lenet5", weights="own")

    Args:
        name: One of `architectures`.
        arguments: Of its class, for what its source leaves open, such as
            ``{"activation": "relu"}``.
        weights: None for starting weights, drawn from torch's global generator; ``own`` or
            ``modern`` for those that come with the package, trained by the network's own recipe
            or by the modern one, in evaluation mode.

    Raises:
        UserError: There is no such network, argument, or set of weights.
    """
    from mnist_arch.errors import UserError
    from mnist_arch.models import build

    if weights is None:
        return build(name, arguments)
    from mnist_arch.runs import shipped

    if arguments:
        raise UserError(f"weights={weights!r}: the set is of {name} without arguments")
    return load(shipped.located(shipped.name(name, weights))).net


def weights() -> "list[Shipped]":
    """Return the sets of trained weights that come with the package, for `load` by their names.

    >>> weights()
    """
    from mnist_arch.runs.shipped import shipped

    return shipped()


def load(checkpoint: str | Path) -> "Predictor":
    """Load a trained network, ready to read digits: by name, from a checkpoint, or a run's folder.

    >>> load("lenet5").predict("photo.jpg")
    >>> load("runs/lenet5-seed0")

    Called with (N, 1, 28, 28) raw pixels it gives (N, 10) scores; ``.predict`` reads a picture of
    any kind; ``.net`` is the network itself.

    Nothing but the file is needed, and torch's random state is left as it was.

    Raises:
        UserError: There is no such file and no such set of `weights`, or it is not a checkpoint of
            this library.
    """
    from mnist_arch.inference.predictor import load
    from mnist_arch.runs.shipped import located

    return load(located(checkpoint))


def train(
    architecture: "str | Config",
    *,
    seed: int = 0,
    overrides: Sequence[str] = (),
    callbacks: "Sequence[pl.Callback]" = (),
    command: str = "",
) -> "Run":
    """Train a network as `python -m experiments.run` does, and return the finished run.

    One of equal settings that is finished already is returned as it is, unless ``again=true`` is
    among the overrides.

    >>> run = train("lenet5", seed=1, overrides=["recipe.max_epochs=3", "data=mnist_5k"])
    >>> run.folder
    PosixPath('runs/lenet5-mnist_5k-max_epochs=3-seed1')
    >>> run.record.score("test", "errors")
    >>> net = run.network()

    Args:
        architecture: Its name, or settings that `runs.config.compose` made, which hold the seed
            and the overrides.
        seed: Draws starting weights, order, augmentation and dropout; 0 or more.
        overrides: Settings as they are typed on the command line.
        callbacks: More of Lightning's callbacks, to follow the training; no part of the run.
        command: What makes the run again, for its record; by default a command line.

    Raises:
        UserError: A setting is impossible, or the data cannot be had. Nothing is left behind.
    """
    from mnist_arch.runs import records
    from mnist_arch.runs.folders import finished
    from mnist_arch.runs.train import Run, train

    if isinstance(architecture, str):
        config, typed = _composed(architecture, [f"seed={seed}", *overrides])
        command = command or typed
    else:
        config = architecture
    if folder := finished(Path(config.runs), config):
        return Run(folder, records.read(folder))
    run = train(config, command=command, callbacks=callbacks)
    _draw(run)
    return run


def resume(
    folder: str | Path,
    *,
    overrides: Sequence[str] = (),
    callbacks: "Sequence[pl.Callback]" = (),
    command: str = "",
) -> "Run":
    """Go on with an interrupted run in its folder, wherever that lies now.

    >>> run = resume("runs/lenet5-seed1")

    `train` does the same for a run of equal settings where it finds one.

    Args:
        folder: Of the run.
        overrides: Settings that change no result, as they are typed on the command line:
            ``trainer.threads=2``, ``figures=false``.
        callbacks: More of Lightning's callbacks, to follow the training; no part of the run.
        command: What makes the run again, for the record of a run that nothing was saved of yet.

    Raises:
        UserError: It is not the folder of a run, the run is finished or another process is at
            work on it, or a setting would make another run of it.
    """
    from mnist_arch.runs.folders import interrupted_config
    from mnist_arch.runs.train import train

    path = Path(folder)
    config = interrupted_config(path, overrides)
    run = train(config, command=command, callbacks=callbacks, resume=path)
    _draw(run)
    return run


def train_together(
    architecture: "str | Config",
    *,
    seeds: Sequence[int] = (),
    overrides: Sequence[str] = (),
    callbacks: "Sequence[pl.Callback]" = (),
    command: str = "",
) -> "list[Run]":
    """Train several seeds of one network at once; each run is as `train` would make it.

    >>> runs = train_together("mlp", seeds=range(32))
    >>> statistics.mean(run.record.score("test", "accuracy") for run in runs)

    Of the dense networks 32 seeds take a few times as long as one. Convolutional ones gain on a
    GPU only; on a CPU they train more quickly by a sweep with ``launcher=joblib``.

    Args:
        architecture: Its name, or settings that `runs.config.compose` made, which hold the seeds
            and the overrides.
        seeds: One for each run; those whose runs are finished are not trained again.
        overrides: Settings as they are typed on the command line.
        callbacks: More of Lightning's callbacks, which see the means of the runs.
        command: What makes the runs again, for their records; by default a command line.

    Returns:
        The runs in the order of the seeds, equal to those trained alone up to rounding.

    Raises:
        UserError: A setting is impossible, or the data cannot be had. Nothing is left behind.
    """
    from mnist_arch.runs.together import train_together

    if isinstance(architecture, str):
        config, typed = _composed(
            architecture, [f"seeds=[{','.join(map(str, seeds))}]", *overrides]
        )
        command = command or typed
    else:
        config = architecture
    runs = train_together(config, command=command, callbacks=callbacks)
    for run in runs:
        _draw(run)
    return runs


def _composed(architecture: str, overrides: Sequence[str]) -> "tuple[Config, str]":
    """Return the settings of a run, and the command that makes it."""
    import shlex

    from mnist_arch.runs.config import compose

    words = [f"model={architecture}", *overrides]
    return compose(words), shlex.join(["python", "-m", "experiments.run", *words])


def _draw(run: "Run") -> None:
    if run.record.config["figures"] and run.record.tested:
        from mnist_arch.reports import tensorboard

        tensorboard.show(run)
