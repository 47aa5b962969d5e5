"""When two runs are the same, and what tells a run from its recipe: compared by settings.

Typed words never count: ``recipe.batch_size=32`` where 32 is the recipe's own is no difference,
and 6e-3 is 0.006.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_arch.runs.config import Config, flat, reference

# Settings that change no result: where and how a run is made, not what it is.
NEUTRAL = (
    *("runs", "again", "figures", "fail_fast", "label", "experiment", "logger", "recipe.name"),
    *("data.root", "trainer.threads", "trainer.accelerator", "trainer.save_every"),
    *("searchpath", "seeds", "trust"),
)
# Settings that a record holds apart from its variant.
APART = ("seed", "test", "model.name", "data.name", "trainer.precision")
# Settings that are younger than some records, and what runs did before there was a choice.
YOUNGER = {"recipe.reshuffle": True, "recipe.standardize": False}
PARTS = (
    *("recipe.initialization", "recipe.optimizer", "recipe.schedule", "recipe.loss"),
    "recipe.augmentation",
)
OWN = ("recipe.initialization", "recipe.loss")  # of these None is the network's own
LONGEST_NAME = 100  # characters of a run's name, before its seed

Variant = dict[str, Any]


def identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the settings, keys joined by dots, that decide a run's result.

    >>> identity({"seed": 1, "runs": "here"}) == identity({"seed": 1, "runs": "there"})
    True
    >>> identity({"seed": 1, "recipe.reshuffle": True}) == identity({"seed": 1})
    True
    """
    own = ["data.root"] if settings.get("data.name") == "idx" else []  # one's own files decide
    return {
        key: value
        for key, value in settings.items()
        if value is not None  # which is as good as not there
        and (key in own or not _below(key, NEUTRAL))
        and not (key in YOUNGER and value == YOUNGER[key])
    }


def variant(config: Config) -> Variant:
    """Return the settings in which a run differs from the recipe that it names, sorted by key."""
    return difference(config.settings, reference(config))


def label(config: Config) -> str:
    """Return the label of a run's experiment file, and in words what was changed beside it."""
    if not config.label:
        return ""
    rest = difference(config.settings, reference(config, config.experiment))
    return ", ".join([config.label, *described(rest)])


def difference(settings: Mapping[str, Any], recipe: DictConfig) -> Variant:
    """Compare resolved settings with a composed recipe.

    What the recipe derives from another setting, such as a schedule's length from the number of
    epochs, is no difference of its own. An argument that was taken away is None.
    """
    raw, own = (
        flat({str(key): value for key, value in values.items() if key != "hydra"})
        for values in (
            OmegaConf.to_container(recipe, resolve=False),
            OmegaConf.to_container(recipe, resolve=True),
        )
        if isinstance(values, dict)
    )
    changed = {
        key: value
        for key, value in settings.items()
        if not _below(key, (*NEUTRAL, *APART)) and (key not in own or own[key] != value)
    }
    for key in own.keys() - settings.keys():
        parent = key.rpartition(".")[0]
        same_kind = settings.get(f"{parent}._target_") == own.get(f"{parent}._target_")
        if same_kind and f"{parent}._target_" in settings and not _below(key, NEUTRAL):
            changed[key] = None
    for key in [*changed]:
        source = re.fullmatch(r"\$\{([\w.]+)\}", str(raw.get(key)))
        if source and settings.get(source[1]) == changed[key]:
            del changed[key]
    return dict(sorted(changed.items()))


def concerns(changes: Variant, part: str) -> bool:
    """Whether a variant changes one part of the recipe, such as its augmentation, and no other."""
    return bool(changes) and all(_below(key, (part,)) for key in changes)


def described(changes: Variant) -> list[str]:
    """Put a variant into short words.

    >>> described({"recipe.max_epochs": 3, "recipe.augmentation": None})
    ['max_epochs=3', 'augmentation=none']
    >>> described({"recipe.loss": None})
    ['loss=own']
    >>> described({"recipe.optimizer._target_": "torch.optim.Adam", "recipe.optimizer.lr": 0.01})
    ['optimizer=Adam(lr=0.01)']
    """
    rest, words = dict(changes), []
    for key in [key for key in changes if key.endswith("._target_")]:
        part, target = key.removesuffix("._target_"), rest.pop(key)
        arguments = [key for key in rest if _below(key, (part,))]
        inner = ", ".join(f"{_last(key)}={_value(rest.pop(key))}" for key in arguments)
        words.append(f"{_last(part)}={_last(target)}" + (f"({inner})" if inner else ""))
    for part in PARTS:
        if part in rest and rest[part] is None:
            del rest[part]
            words.append(f"{_last(part)}={'own' if part in OWN else 'none'}")
    return [f"{_last(key)}={_value(value)}" for key, value in rest.items()] + words


def run_name(config: Config) -> str:
    """Name a run so that one reads in TensorBoard what it is.

    >>> run_name(compose(["model=mlp", "recipe=modern", "recipe.max_epochs=3"]))
    'mlp-modern-max_epochs=3-seed0'
    """
    changes = [label(config)] if config.label else described(variant(config))
    names = (config.model.name, config.recipe.name, config.data.name, config.trainer["precision"])
    return f"{kind_name(*names, changes, tested=config.test)}-seed{config.seed}"


def kind_name(
    architecture: str,
    recipe: str,
    data: str,
    precision: str,
    changes: Sequence[str],
    *,
    tested: bool,
) -> str:
    """Name all runs that differ in their seed only: what is not usual of them, in short words."""
    parts = [architecture]
    parts += [recipe] if recipe != architecture else []
    parts += [data] if data != "mnist" else []
    parts += [] if tested else ["test=false"]
    parts += changes
    parts += [f"precision={precision}"] if precision != "32-true" else []
    return re.sub(r"[^A-Za-z0-9._=-]+", "_", "-".join(parts))[:LONGEST_NAME]


def _below(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
