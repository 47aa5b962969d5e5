"""Lightning without what training does not use: a command starts in half the time.

Importing Lightning imports torchmetrics, which imports scipy, matplotlib and torchvision where
they are installed. It also imports torch._dynamo, as each torch optimiser does, and with it sympy,
triton and torch's compilers. All of these can be imported later as ever; torch.compile works. Only
torchmetrics itself notices: its own plots, and its metrics of images and sound, take the three
packages for missing.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PathDistribution
from types import ModuleType
from typing import Any

UNUSED = {"matplotlib", "scipy", "torchvision"}
DYNAMO = "torch._dynamo"


def import_lightning() -> None:
    """Import Lightning, unless that is done."""
    if "pytorch_lightning" in sys.modules:
        return
    import torch

    dynamo = _Dynamo(DYNAMO)
    if DYNAMO not in sys.modules:
        sys.modules[DYNAMO] = vars(torch)["_dynamo"] = dynamo
    with _uninstalled(UNUSED - sys.modules.keys()):
        import pytorch_lightning  # noqa: F401
    dynamo.gives_way = True


@contextmanager
def _uninstalled(names: set[str]) -> Iterator[None]:
    """Let packages seem not to be installed."""

    class Finder(PathFinder):
        @classmethod
        def find_spec(cls, fullname: str, *where: Any) -> ModuleSpec | None:
            return None if fullname in names else PathFinder.find_spec(fullname, *where)

        @staticmethod
        def find_distributions(context: Any) -> Iterable[PathDistribution]:  # type: ignore[override]
            return () if context.name in names else PathFinder.find_distributions(context)

    place = sys.meta_path.index(PathFinder)
    sys.meta_path[place] = Finder
    try:
        yield
    finally:
        sys.meta_path[place] = PathFinder


class _LateClass(type):
    """Of a class that has no instances as long as its module is not imported."""

    def __instancecheck__(cls, instance: object) -> bool:
        dynamo = sys.modules[DYNAMO]
        return not isinstance(dynamo, _Dynamo) and isinstance(instance, dynamo.OptimizedModule)


class _Dynamo(ModuleType):
    """Stands for torch._dynamo, with what a training uses of it that compiles nothing.

    Once Lightning is imported it gives way to the real one as soon as anything else is wanted. An
    import of a name or of a submodule wants ``__path__``, which is not here.
    """

    gives_way = False

    class OptimizedModule(metaclass=_LateClass):
        """What torch.compile makes of a module."""

    @staticmethod
    def graph_break(msg: str = "") -> None:
        """Do nothing, as outside of compiled functions."""

    @staticmethod
    def disable(fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
        """Return a function as it is: nothing compiles it."""
        return fn or (lambda function: function)

    def __getattr__(self, name: str) -> Any:
        if sys.modules[DYNAMO] is self:
            # inspect looks for these two in every module.
            if not self.gives_way or name in ("__file__", "__wrapped__"):
                raise AttributeError(name)
            del sys.modules[DYNAMO]
            import_module(DYNAMO)
        return getattr(sys.modules[DYNAMO], name)
