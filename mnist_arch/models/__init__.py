"""The architectures, one file each, named as on the command line.

A module of this package that is not one of SHARED defines one network: a subclass of `Network`.
Adding a file adds a network; nothing lists them. Torch is imported when a network is first built,
not when the names are listed.
"""

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from mnist_arch.errors import UserError, suggestion

if TYPE_CHECKING:
    from mnist_arch.models.network import Network

SHARED = {"heads", "initialization", "layers", "network"}  # what the networks are made of


class _Architectures(Mapping[str, "type[Network]"]):
    """The classes of the networks by name, each imported when it is first looked up."""

    def __iter__(self) -> Iterator[str]:
        return (module.name for module in iter_modules(__path__) if module.name not in SHARED)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __getitem__(self, name: str) -> "type[Network]":
        """Import the module of a network.

        Raises:
            KeyError: There is no such module.
            UserError: It does not define exactly one network.
        """
        if name not in self:
            raise KeyError(name)
        module = import_module(f"{__name__}.{name}")
        from mnist_arch.models.network import Network

        networks = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Network)
            and value.__module__ == module.__name__
        ]
        if len(networks) != 1:
            names = " and ".join(network.__name__ for network in networks) or "none"
            raise UserError(f"{module.__file__}: must define one subclass of Network, not {names}")
        return networks[0]


ARCHITECTURES: Mapping[str, "type[Network]"] = _Architectures()


def build(name: str, arguments: Mapping[str, Any] | None = None) -> "Network":
    """Build an untrained network; its starting weights come from torch's global generator.

    >>> build("lenet5", {"activation": "relu"})

    Args:
        name: One of `ARCHITECTURES`.
        arguments: Of its class, for what its source leaves open.

    Raises:
        UserError: There is no architecture of that name, it has no such argument, or the value is
            impossible.
    """
    if name not in ARCHITECTURES:
        raise UserError(f"no architecture {name!r}; {suggestion(name, ARCHITECTURES)}")
    network, arguments = ARCHITECTURES[name], arguments or {}
    known = inspect.signature(network).parameters
    for key in arguments:
        if key not in known:
            near = suggestion(str(key), known) if known else "it has none"
            raise UserError(f"no setting 'model.{key}' of {name}; {near}")
    try:
        return network(**arguments)
    except (TypeError, ValueError) as error:
        words = " ".join(f"model.{key}={value}" for key, value in arguments.items())
        raise UserError(f"{words or name}: {' '.join(str(error).split())}") from error


def blank(name: str, arguments: Mapping[str, Any] | None = None) -> "Network":
    """Build a network whose weights do not matter; torch's random state stays as it was.

    Raises:
        UserError: As of `build`.
    """
    import torch

    with torch.random.fork_rng():
        return build(name, arguments)
