"""Every key of a run, with its type; the yaml files beside this give the values.

A key that is not here, and a value of another type, is refused on the command line.
"""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES
from mnist_arch.training.recipe import Recipe

ACCELERATORS = ("auto", "cpu", "gpu", "mps")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass
class Model:
    """Attributes: name: A module of `mnist_arch.models`: a choice of the group ``model``."""

    name: str


@dataclass
class Data:
    """The data set; see mnist_arch/data/sources.py.

    Attributes:
        name: ``mnist``, ``mnist_5k``, ``fashion_mnist`` or ``idx``.
        root: The folder of the files; None for the cache that all runs share.
        size: Images of one pass over the training split, None for all; see
            mnist_arch/data/datamodule.py.
        split_seed: Draws the validation split.
    """

    name: str
    root: str | None
    size: int | None
    split_seed: int

    def __post_init__(self) -> None:
        """Refuse an empty training split."""
        if self.size is not None and self.size < 1:
            raise UserError(f"data.size={self.size}: must be 1 or more")


@dataclass
class Trainer:
    """What trains; it changes the speed, never order, splits or distortions.

    Attributes:
        accelerator: Lightning's name of the kind of device.
        precision: Lightning's name of the arithmetic.
        threads: CPU threads, None for torch's choice.
    """

    accelerator: str
    precision: str
    threads: int | None

    def __post_init__(self) -> None:
        """Refuse what Lightning would refuse, in one line."""
        for key, valid in (("accelerator", ACCELERATORS), ("precision", PRECISIONS)):
            value = getattr(self, key)
            if value not in valid:
                raise UserError(f"trainer.{key}={value}: {suggestion(value, valid)}")
        if self.threads is not None and self.threads < 1:
            raise UserError(f"trainer.threads={self.threads}: must be 1 or more")


@dataclass
class Config:
    """One run.

    Attributes:
        seed: Draws starting weights, order, distortions and dropout; 0 or more.
        runs: The folder in which the run's own folder is made.
        test: Whether the test digits are read, once, at the end. A run that serves to choose
            something leaves them unread.
        figures: Whether a tested run is drawn, in its folder and for TensorBoard.
        fail_fast: Whether a sweep ends with its first failed job; else it goes on, and lists all.
    """

    seed: int
    runs: str
    test: bool
    figures: bool
    fail_fast: bool
    model: Model
    recipe: Recipe
    data: Data
    trainer: Trainer

    def __post_init__(self) -> None:
        """Refuse a seed that numpy would refuse."""
        for key, seed in (("seed", self.seed), ("data.split_seed", self.data.split_seed)):
            if seed < 0:
                raise UserError(f"{key}={seed}: must be 0 or more")


ConfigStore.instance().store(name="schema", node=Config)
for name in ARCHITECTURES:
    ConfigStore.instance().store(group="model", name=name, node={"name": name})
