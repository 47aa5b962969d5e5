"""Where a run leaves its evidence: a folder that says what it is, and that no other run has."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.runs.config import Config

LONGEST_NAME = 100  # characters of a folder's name, before its seed and number
COURSE = (
    "runs:",
    "figures:",
    "fail_fast:",
)  # settings of where and how runs are made, not of which they are


def run_name(config: Config, recipe: str, overrides: list[str]) -> str:
    """Name a run so that one reads in TensorBoard what it is.

    >>> run_name(config, "modern", ["model=mlp", "recipe=modern", "recipe.max_epochs=3"])
    'mlp-modern-max_epochs=3-seed0'
    """
    parts = [config.model.name]
    parts += [recipe] if recipe != config.model.name else []
    parts += [config.data.name] if config.data.name != "mnist" else []
    said = {"model", "recipe", "data", "seed", "runs", "data.root", "figures", "fail_fast"}
    said |= {"trainer.accelerator", "trainer.threads"}
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key.endswith("._target_"):
            key, value = key.removesuffix("._target_"), value.rpartition(".")[2]
        if key not in said and not key.startswith("hydra"):
            parts.append(f"{key.rpartition('.')[2]}={value}")
    name = re.sub(r"[^A-Za-z0-9._=-]+", "_", "-".join(parts))[:LONGEST_NAME]
    return f"{name}-seed{config.seed}"


def identity(settings: str) -> list[str]:
    r"""Return the lines of a run's resolved settings (YAML) by which equal runs are known.

    >>> identity("seed: 1\nruns: here") == identity("seed: 1\nruns: there")
    True
    """
    return [line for line in settings.splitlines() if not line.startswith(COURSE)]


def finished(parent: Path, settings: str) -> Path | None:
    """Find the folder of a finished run of equal settings, whatever words led to them."""
    wanted = identity(settings)
    for record in sorted(parent.glob("*/record.json")):
        config = record.with_name("config.yaml")
        if config.is_file() and identity(config.read_text()) == wanted:
            return record.parent
    return None


@contextmanager
def run_folder(parent: Path, name: str, settings: str) -> Iterator[Path]:
    """Lend a folder to one run: that of an equal run that was broken off, or else a new one.

    ``settings`` are the run's resolved settings, kept as config.yaml; a run is equal when its
    settings are. A folder that has a record is finished and is never touched again; one that
    another process is at is left to it. A lock, which ends with its process, tells them apart.

    Raises:
        UserError: There can be no folders in ``parent``.
    """
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not _unfinished(folder, settings):
                continue
        except OSError as error:
            raise UserError(f"runs={parent}: cannot make a folder in it ({error})") from error
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        try:
            # Another process may have finished it, or begun one here, before the lock was ours.
            if (folder / "config.yaml").exists() and not _unfinished(folder, settings):
                continue
            files.write(folder / "config.yaml", settings)
            yield folder
            return
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _unfinished(folder: Path, settings: str) -> bool:
    """Tell whether a run of these settings was begun in a folder and has left no record."""
    config = folder / "config.yaml"
    began = config.is_file() and identity(config.read_text()) == identity(settings)
    return began and not (folder / "record.json").exists()
