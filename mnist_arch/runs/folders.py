"""Where a run leaves its evidence: a folder that says what it is, and that no other run has."""

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # omegaconf's reader raises it

from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.runs.config import Config, flat
from mnist_arch.runs.identity import identity

LARGEST = 1_000_000  # bytes of a run's settings, which have some thousand
DEEP = (AssertionError, RecursionError)  # of what is no mapping, or nested too deeply


def finished(parent: Path, config: Config) -> Path | None:
    """Find the folder of a finished run of equal settings, whatever words led to them."""
    (folder,) = all_finished(parent, [config])
    return folder


def all_finished(parent: Path, configs: Sequence[Config]) -> list[Path | None]:
    """Do the same for several runs, reading each folder's settings once."""
    wanted = [identity(config.settings) for config in configs]
    folders: list[Path | None] = [None] * len(configs)
    for record in sorted(parent.glob("*/record.json")):
        if None not in folders:
            break
        own = _identity_of(record.parent)
        folders = [
            folder or (record.parent if own == each else None)
            for folder, each in zip(folders, wanted, strict=True)
        ]
    return folders


@contextmanager
def run_folder(parent: Path, name: str, config: Config) -> Iterator[Path]:
    """Lend a folder to one run: that of an equal run that was interrupted, or else a new one.

    The settings are kept in it as config.yaml; a run is equal when its identity is. A folder that
    has a record is finished and is never touched again; one that another process is at work in is
    left to it. A lock, which ends with its process, tells them apart.

    Raises:
        UserError: There can be no folders in ``parent``, or no locks.
    """
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            made = True
        except FileExistsError:
            made = False
            if not _unfinished(folder, config):
                continue
        except OSError as error:
            raise UserError(f"runs={parent}: cannot make a folder in it ({error})") from error
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError) as error:
            # Nobody else locks a folder that this process has just made, but older filelocks say
            # of any refusal that another process holds the lock.
            if isinstance(error, Timeout) and not made:
                continue
            if made:
                shutil.rmtree(folder)
            raise UserError(f"runs={parent}: its file system refuses locks ({error})") from error
        try:
            # Another process may have finished it, or begun one here, before the lock was ours.
            if (folder / "config.yaml").exists() and not _unfinished(folder, config):
                continue
            files.write(folder / "config.yaml", OmegaConf.to_yaml(asdict(config)))
            yield folder
            return
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _unfinished(folder: Path, config: Config) -> bool:
    """Tell whether a run of these settings was begun in a folder and has left no record."""
    same = _identity_of(folder) == identity(config.settings)
    return same and not (folder / "record.json").exists()


def _identity_of(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the run in a folder; None where no settings are readable."""
    try:
        text = files.yaml_text(folder / "config.yaml", LARGEST)
        settings: Any = OmegaConf.to_container(OmegaConf.load(StringIO(text)))
        return identity(flat(settings)) if isinstance(settings, dict) else None
    except (UserError, OSError, ValueError, YAMLError, OmegaConfBaseException, *DEEP):
        return None
