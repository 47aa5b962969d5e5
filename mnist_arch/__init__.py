"""The architectures published for MNIST, rebuilt exactly.

    >>> import mnist_arch
    >>> net = mnist_arch.build("lenet5")  # (N, 1, 28, 28) raw pixels -> (N, 10) scores
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

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_arch.models import ARCHITECTURES, build

if TYPE_CHECKING:  # torch takes two seconds to import: only those who build a network wait for it
    import pytorch_lightning as pl

    from mnist_arch.inference.predictor import Predictor
    from mnist_arch.runs.config import Config
    from mnist_arch.runs.train import Run

__all__ = ["architectures", "build", "load", "train"]
__version__ = "0.2.0"


def architectures() -> tuple[str, ...]:
    """Return the names that `build` knows."""
    return tuple(ARCHITECTURES)


def load(checkpoint: str | Path) -> "Predictor":
    """Load a trained network, ready to read digits, from a checkpoint file or a run's folder.

    Called with (N, 1, 28, 28) raw pixels it gives (N, 10) scores; ``.predict`` reads a picture of
    any kind; ``.net`` is the network itself.

    Nothing but the file is needed, and torch's random state is left as it was.

    Raises:
        UserError: There is no such file, or it is not a checkpoint of this library.
    """
    from mnist_arch.inference.predictor import load

    return load(Path(checkpoint))


def train(
    architecture: "str | Config",
    *,
    seed: int = 0,
    overrides: Sequence[str] = (),
    callbacks: "Sequence[pl.Callback]" = (),
    command: str = "",
) -> "Run":
    """Train a network as `python -m experiments.run` does, and return the finished run.

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
    import shlex

    from mnist_arch.runs.config import compose
    from mnist_arch.runs.train import train

    if isinstance(architecture, str):
        words = [f"model={architecture}", f"seed={seed}", *overrides]
        command = command or shlex.join(["python", "-m", "experiments.run", *words])
        config = compose(words)
    else:
        config = architecture
    run = train(config, command=command, callbacks=callbacks)
    if config.figures and run.record.tested:
        from mnist_arch.reports import tensorboard

        tensorboard.show(run)
    return run
