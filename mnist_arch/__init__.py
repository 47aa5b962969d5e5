"""The architectures published for MNIST, rebuilt exactly.

    >>> import mnist_arch
    >>> net = mnist_arch.build("lenet5")  # (N, 1, 28, 28) raw pixels -> (N, 10) scores
    >>> sum(p.numel() for p in net.parameters())
    60806

The rooms: ``models`` (the networks and what their scores mean), ``data`` (MNIST and how it is
split and batched), ``training`` (recipes and the one Lightning module), ``evaluation`` (records
of runs, and tables and figures made from them), ``inference`` (trained networks at work). Each
imports only those named before it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes two seconds to import: only those who build a network wait for it
    from mnist_arch.inference.predictor import Predictor
    from mnist_arch.models import Network

__all__ = ["architectures", "build", "load"]
__version__ = "0.2.0"


def architectures() -> tuple[str, ...]:
    """Return the names that `build` knows."""
    from mnist_arch.models import ARCHITECTURES

    return tuple(ARCHITECTURES)


def build(name: str) -> "Network":
    """Build an untrained network; its starting weights come from torch's global generator.

    Raises:
        UserError: There is no architecture of that name.
    """
    from mnist_arch.errors import UserError, suggestion
    from mnist_arch.models import ARCHITECTURES

    if name not in ARCHITECTURES:
        raise UserError(f"no architecture {name!r}; {suggestion(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]()


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
