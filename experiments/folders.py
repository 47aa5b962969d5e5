"""Where a run leaves its evidence: a folder that says what it is, and that no other run has."""

import itertools
import re
from pathlib import Path

from conf import Config
from mnist_arch.errors import UserError

LONGEST_NAME = 100  # characters of a folder's name, before its seed and number


def run_name(config: Config, recipe: str, overrides: list[str]) -> str:
    """Name a run so that one reads in TensorBoard what it is.

    >>> run_name(config, "modern", ["model=mlp", "recipe=modern", "recipe.max_epochs=3"])
    'mlp-modern-max_epochs=3-seed0'
    """
    parts = [config.model.name]
    parts += [recipe] if recipe != config.model.name else []
    parts += [config.data.name] if config.data.name != "mnist" else []
    said = ("model", "recipe", "data", "seed", "runs", "data.root")
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key.endswith("._target_"):
            key, value = key.removesuffix("._target_"), value.rpartition(".")[2]
        if key not in said and not key.startswith("hydra"):
            parts.append(f"{key.rpartition('.')[2]}={value}")
    name = re.sub(r"[^A-Za-z0-9._=-]+", "_", "-".join(parts))[:LONGEST_NAME]
    return f"{name}-seed{config.seed}"


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder that no other run has, whatever runs start at the same time."""
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"runs={parent}: cannot make a folder in it ({error})") from error
    raise AssertionError("unreachable: there is always a next number")
