"""The settings of a run: their keys and types, and how words become settings.

The yaml files of conf/ give the values. A key that is not here, and a value of another type, is
refused.
"""

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES
from mnist_arch.training.recipe import Recipe, check_count

# Beside this package, by its path: whoever has a conf.py of their own has their own module `conf`.
CONF = str(Path(__file__).absolute().parents[2] / "conf")
PATHS = ("runs", "data.root")  # settings that are paths
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
# What settings may name to be built: importing anything else could do anything.
TRUSTED = (
    *("torch.optim", "torch.nn", "pytorch_lightning.callbacks", "pytorch_lightning.loggers"),
    "mnist_arch",
)
MOST_THREADS = 1024  # torch crashes at some larger number
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
COMPOSING = "hydra/_internal/config_loader_impl.py"  # where Hydra reads files of settings
# Hydra's launchers, and the extra of this package that brings each.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "submitit", "submitit_local": "submitit"}


@dataclass
class Model:
    """A network.

    Attributes:
        name: A module of `mnist_arch.models`: a choice of the group ``model``.
        arguments: Of its class, for what its source leaves open; typed as
            ``+model.activation=relu``.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class Data:
    """The data set; see mnist_arch/data/sources.py.

    Attributes:
        name: One of `sources.NAMES`.
        root: The folder of the files; None for the cache that all runs share.
        size: Images of one epoch, None for the whole training split; see
            mnist_arch/data/datamodule.py.
        split_seed: Draws the validation split, and the folds.
        fold: One of ten into which training and test images together are divided, from 0: it is
            tested, and all others are for training. None for the splits as they are published.
    """

    name: str
    root: str | None
    size: int | None
    split_seed: int
    fold: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_count(f"data.size={self.size}", self.size, 1)
        if self.fold is not None and not 0 <= self.fold <= 9:
            raise UserError(f"data.fold={self.fold}: must be 0 to 9")


@dataclass
class Config:
    """One run.

    Attributes:
        seed: Draws starting weights, order, augmentation and dropout; 0 or more.
        seeds: Several, of runs that train together in one process, such as ``0..31`` or
            ``[0, 3, 5]``; None for the one seed.
        runs: The folder in which the run's own folder is made.
        test: Whether the test images are classified, once, at the end. A run that serves to
            choose something leaves them unread.
        figures: Whether a tested run is drawn, in its folder and for TensorBoard.
        fail_fast: Whether a sweep ends with its first failed job; else it goes on, and lists all.
        again: Whether to train once more what is finished, in a folder of its own.
        label: A short name for tables, given by an experiment file; "" for none.
        trainer: Arguments of Lightning's Trainer; ``threads`` of the CPU (None leaves them to
            torch); and ``save_every``, the seconds of work that a kill may cost. Where several
            devices train together, a run is saved after each epoch and not within.
        logger: By name, ``_target_`` of a Lightning logger and its arguments.
        callbacks: By name, ``_target_`` of a Lightning callback and its arguments.
        trust: Packages that a ``_target_`` may name beside `TRUSTED`.
        experiment: The name of the chosen file in conf/experiment, "" for none; filled in when
            settings are composed.
        searchpath: Hydra's, of a user's own files of settings; filled in likewise.
    """

    seed: int
    runs: str
    test: bool
    figures: bool
    fail_fast: bool
    label: str
    model: Model
    recipe: Recipe
    data: Data
    trainer: dict[str, Any]
    logger: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    seeds: Any = None
    again: bool = False
    trust: list[str] = field(default_factory=list)
    experiment: str = ""
    searchpath: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key, seed in (("seed", self.seed), ("data.split_seed", self.data.split_seed)):
            check_count(f"{key}={seed}", seed, 0)
        self.seeds = None if self.seeds is None else several_seeds(self.seeds, "seeds=")
        for key, valid in (("accelerator", ACCELERATORS), ("precision", PRECISIONS)):
            if (value := self.trainer[key]) not in valid:
                raise UserError(f"trainer.{key}={value}: {suggestion(str(value), valid)}")
        for key in ("threads", "devices"):
            value = self.trainer[key]
            if isinstance(value, int):
                check_count(f"trainer.{key}={value}", value, 1)
                if value > MOST_THREADS:
                    raise UserError(f"trainer.{key}={value}: must be at most {MOST_THREADS:,}")
        seconds = self.trainer["save_every"]
        if not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
            raise UserError(f"trainer.save_every={seconds}: must be a number of seconds above 0")
        for key, value in self.settings.items():
            if key.endswith("_target_") and not self.trusts(str(value)):
                package = str(value).partition(".")[0]
                raise UserError(
                    f"{key}={value}: only {', '.join(TRUSTED)} may be named here; "
                    f"if this is yours, add trust=[{package}]"
                )

    def trusts(self, name: str) -> bool:
        """Whether the full name of something is below a package that may be imported."""
        packages = (*TRUSTED, *self.trust)
        return any(f"{name}.".startswith(f"{package}.") for package in packages)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting, nested keys joined by dots, as they are typed."""
        return as_typed(asdict(self))


def several_seeds(value: Any, word: str = "--seeds ") -> list[int]:
    """Read seeds: a range with both its ends, ``0..31``, or a list, ``0,3,5``.

    A single number is refused: it could be meant as one seed, or as so many.

    Args:
        value: A word, or a list.
        word: What it was typed after, for the message.

    Raises:
        UserError: It is neither, or a seed is negative or comes twice.
    """
    first, dots, last = str(value).partition("..")
    several = value.split(",") if isinstance(value, str) and "," in value else value
    try:
        seeds = [*range(int(first), int(last) + 1)] if dots else [int(each) for each in several]
    except (TypeError, ValueError):
        seeds = []
    if not seeds or several == first:
        raise UserError(f"{word}{value}: must be a range, as in 0..9, or a list, as in 0,3,5")
    for seed in seeds:
        check_count(f"{word}{value}: {seed}", seed, 0)
        if seeds.count(seed) > 1:
            raise UserError(f"{word}{value}: {seed} is there twice")
    return seeds


def as_typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Join the keys of settings by dots, as they are typed: a network's arguments are its own.

    >>> as_typed({"model": {"name": "lenet5", "arguments": {"activation": "relu"}}})
    {'model.name': 'lenet5', 'model.activation': 'relu'}
    """
    model = settings.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("arguments"), dict):
        return flat(dict(settings))
    own = {key: value for key, value in model.items() if key != "arguments"}
    return flat({**settings, "model": own | model["arguments"]})


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the keys of nested dictionaries by dots."""
    joined: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            joined |= flat(value, f"{prefix}{key}.")
        else:
            joined[f"{prefix}{key}"] = value
    return joined


def compose(words: Sequence[str]) -> Config:
    """Turn words, as typed behind `python -m experiments.run`, into the settings of a run.

    Raises:
        UserError: A word is no setting, or its value is impossible.
    """
    try:
        return typed(_composed([*map(quoted, words)]))
    except Exception as error:
        message = explanation(error)
        if message is None:
            raise
        raise UserError(message) from error


def quoted(word: str) -> str:
    """Quote a path among the words where Hydra would take its signs for more than a path.

    >>> quoted("runs=a=b, [c]")
    "runs='a=b, [c]'"
    >>> quoted("seed=0")
    'seed=0'
    """
    key, _, value = word.partition("=")
    as_it_is = re.fullmatch(r"[A-Za-z0-9_./-]*|'.*'|\".*\"", value) or "${" in value
    if key not in PATHS or as_it_is:
        return word
    # Hydra unescapes backslashes before a quote, and no others.
    escaped = re.sub(r"(\\*)('|$)", lambda end: 2 * end[1] + end[2].replace("'", "\\'"), value)
    return f"{key}='{escaped}'"


def reference(config: Config, experiment: str = "") -> DictConfig:
    """Return the settings of a run's network, recipe and data as they stand in conf/.

    With an experiment's name those of its file, too.
    """
    words = [f"model={config.model.name}", f"recipe={config.recipe.name}"]
    words += [f"data={config.data.name}"] + ([f"experiment={experiment}"] if experiment else [])
    words += [f"hydra.searchpath=[{','.join(config.searchpath)}]"] if config.searchpath else []
    return _reference(tuple(words))


@cache
def _reference(words: tuple[str, ...]) -> DictConfig:
    return _composed([*words])


def _composed(words: list[str]) -> DictConfig:
    if GlobalHydra.instance().is_initialized():  # a command's own, with its search path
        return hydra_compose("config", words, return_hydra_config=True)
    with initialize_config_dir(CONF, version_base="1.3"):
        return hydra_compose("config", words, return_hydra_config=True)


def typed(settings: DictConfig, hydra: Any = None) -> Config:
    """Turn composed settings into a `Config`.

    ``hydra`` are Hydra's own settings, None where the others hold them.

    Raises:
        UserError: A key was added (``+key=value``) that the dataclass does not have, or a value
            is impossible.
    """
    _reference.cache_clear()  # the files may have changed since other settings were composed
    hydra = hydra or settings.hydra
    own = settings.copy()
    with open_dict(own):
        own.pop("hydra", None)
        model: Any = OmegaConf.to_container(own.model)
        name, arguments = model.pop("name"), model.pop("arguments")
        own.model = Model(name, arguments | model)
    _refuse_added_keys(own, "")
    config: Any = OmegaConf.to_object(own)
    choices = hydra.runtime.choices
    config.recipe.name, config.experiment = choices["recipe"], choices["experiment"] or ""
    config.searchpath = [*hydra.searchpath]
    return config


def explanation(error: BaseException) -> str | None:
    """Say in one line what the user did wrong; None for what is no user's fault."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and name in EXTRAS:
            launcher = name.removesuffix("_slurm")
            return f"launcher={launcher}: not installed; pip install 'mnist_arch[{EXTRAS[name]}]'"
        return f"{group}={name}: no such choice; {suggestion(name, error.options or ())}"
    if isinstance(error, ConfigCompositionException) and error.__cause__:
        return explanation(error.__cause__)
    if isinstance(error, OmegaConfBaseException):
        # omegaconf raises either for a key that a structured config does not have.
        if isinstance(error, (KeyError, AttributeError)) and error.parent_node is not None:
            return f"no setting '{error.full_key}'; {_near(str(error.key), error.parent_node)}"
        first_line = _shortened(str(error).strip().partition("\n")[0])
        return f"{error.full_key}: {first_line}" if error.full_key else first_line
    if isinstance(error, ValueError) and "Config group override must be" in str(error):
        return "a word without a name before its '='; see --help"
    if _sets_part_of_null(error):
        return (
            "a word sets a part of a setting that is null; choose the whole first, "
            "as in recipe/schedule=cosine recipe.schedule.T_max=10"
        )
    if isinstance(error, (HydraException, OSError)):
        return _shortened(error)
    if isinstance(error, Exception) and _while_composing(error):
        return f"no settings can be made of these words ({_shortened(error)})"
    return None


def _sets_part_of_null(error: BaseException) -> bool:
    """Recognise what omegaconf 2.3 raises for a key below a typed null."""
    if not isinstance(error, (AttributeError, AssertionError)) or "NoneType" not in str(error):
        return False
    return _raised_in(error, "omegaconf")


def _raised_in(error: BaseException, package: str) -> bool:
    """Whether a package raised an exception itself."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and package in Path(frames[-1].filename).parts


def _while_composing(error: BaseException) -> bool:
    """Whether Hydra or omegaconf stumbled over words, or a file, of another kind than expected."""
    names = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    composing = any(name.endswith(COMPOSING) for name in names)
    return composing or _raised_in(error, "hydra") or _raised_in(error, "omegaconf")


def _shortened(text: object) -> str:
    """Put a text into one line of at most 300 characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= 300 else f"{line[:300]}..."


def _near(key: str, node: Any, known: Iterable[str] | None = None) -> str:
    """Suggest a setting below the node that has this very name, or one in it with a like name."""

    def below(values: Any, prefix: str) -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            if name == key and prefix:
                yield f"{prefix}{name}"
            if name != "hydra":
                yield from below(value, f"{prefix}{name}.")

    same = next(below(OmegaConf.to_container(node), ""), None)
    return f"did you mean {same}?" if same else suggestion(key, known or map(str, node))


def _refuse_added_keys(settings: DictConfig, prefix: str) -> None:
    schema = OmegaConf.get_type(settings)
    if not is_dataclass(schema):
        return
    known = [each.name for each in fields(schema)]
    for key in map(str, settings):
        if key not in known:
            raise UserError(f"no setting '{prefix}{key}'; {_near(key, settings, known)}")
        if isinstance(settings[key], DictConfig):
            _refuse_added_keys(settings[key], f"{prefix}{key}.")


_STORE = ConfigStore.instance()
# It is a singleton, and what is loaded from it is a copy. Yet Hydra copies all of it for each
# group that --help lists, and for each composition.
ConfigStore.__deepcopy__ = lambda store, _: store  # type: ignore[attr-defined]
_STORE.store(name="schema", node=Config)
for _name in ARCHITECTURES:
    _STORE.store(group="model", name=_name, node={"name": _name})
