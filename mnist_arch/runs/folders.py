"""Where a run leaves its evidence: a folder that says what it is, and that no other run has."""

import itertools
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # omegaconf's reader raises it

from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.runs.config import Config, as_typed, compose
from mnist_arch.runs.identity import identity

# What may be set anew when an interrupted run goes on: it changes no result, and no folder.
ANEW = (
    *("figures", "logger", "trainer.threads", "trainer.accelerator", "trainer.save_every"),
    *("data.root", "trust"),
)
MEAN = "mean_of.txt"  # in a folder that stands among runs and holds the mean of several
LARGEST = 1_000_000  # bytes of a run's settings, which have some thousand
DEEP = (AssertionError, RecursionError)  # of what is no mapping, or nested too deeply


def finished(parent: Path, config: Config) -> Path | None:
    """Find the folder of a finished run of equal settings, whatever words led to them."""
    (folder,) = all_finished(parent, [config])
    return folder


def all_finished(parent: Path, configs: Sequence[Config]) -> list[Path | None]:
    """Do the same for several runs, reading each folder's settings once.

    There is none of a run that is wanted ``again``.
    """
    wanted = [None if config.again else identity(config.settings) for config in configs]
    folders: list[Path | None] = [None] * len(configs)
    for record in sorted(parent.glob("*/record.json")):
        if None not in folders:
            break
        own = _identity_of(record.parent)
        folders = [
            folder or (record.parent if own and own == each else None)
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
            if not (_unfinished(folder, config) or _abandoned(folder)):
                continue
        except OSError as error:
            raise UserError(f"runs={parent}: cannot make a folder in it ({error})") from error
        with _locked(folder, made=made) as ours:
            # Another process may have finished it, or begun one here, before the lock was ours.
            begun = (folder / "config.yaml").exists()
            if not ours or (begun and not _unfinished(folder, config)):
                continue
            files.write(folder / "config.yaml", OmegaConf.to_yaml(asdict(config)))
            yield folder
            return


@contextmanager
def interrupted_folder(folder: Path, config: Config) -> Iterator[Path]:
    """Lend the folder of an interrupted run, wherever it lies, to that run.

    Raises:
        UserError: Another process is at work in it, or has finished it.
    """
    with _locked(folder) as ours:
        if not ours:
            raise UserError(f"{folder}: another process is at work on this run")
        if (folder / "record.json").exists():
            raise UserError(f"{folder}: this run is finished")
        files.write(folder / "config.yaml", OmegaConf.to_yaml(asdict(config)))
        yield folder


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Keep other processes from writing the same files in a folder meanwhile: they wait.

    Where the file system refuses locks, they do not.
    """
    lock = FileLock(folder / ".turn")
    with suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        _give_up(lock)


def interrupted_config(folder: Path, words: Sequence[str] = ()) -> Config:
    """Read the settings of a run from its folder.

    Args:
        folder: Of the run.
        words: As typed, that set anew what changes no result; see `ANEW`.

    Raises:
        UserError: It is not the folder of a run, or a word sets something else.
    """
    for word in words:
        if not re.fullmatch(rf"[+~]*({'|'.join(map(re.escape, ANEW))})([.=].*)?", word, re.DOTALL):
            raise UserError(
                f"{word}: an interrupted run goes on as it was begun; "
                f"only {', '.join(ANEW)} may be set anew"
            )
    new = compose(words)
    try:
        text = files.yaml_text(folder / "config.yaml", LARGEST)
        saved: Any = OmegaConf.to_container(OmegaConf.load(StringIO(text)))
        # A folder may come from anywhere: whom to trust is said by who types the command.
        own = saved | {"trust": new.trust, "runs": str(folder.parent), "seeds": None}
        own["trainer"] = {"save_every": new.trainer["save_every"]} | saved["trainer"]
        for word in words:
            group, _, key = word.lstrip("+~").partition("=")[0].partition(".")
            value = asdict(new)[group]
            if group in ("trainer", "data"):
                own[group] = own[group] | {key: value[key]}
            else:
                own[group] = value
        config: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), own))
    except FileNotFoundError as error:
        raise UserError(f"{folder}: not the folder of a run (it has no config.yaml)") from error
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError),
        *(YAMLError, OmegaConfBaseException),
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}/config.yaml: not the settings of a run ({reason})") from error
    assert isinstance(config, Config)
    return config


@contextmanager
def _locked(folder: Path, *, made: bool = False) -> Iterator[bool]:
    """Lock a folder; whether that was possible, or another process has.

    Args:
        folder: That is there.
        made: Whether this process has just made it.

    Raises:
        UserError: The file system refuses locks. A folder that was just made is removed.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError) as error:
        # Older filelocks say of any refusal that another process holds the lock.
        if isinstance(error, Timeout) and (not made or _can_lock(folder)):
            yield False
            return
        if made:
            shutil.rmtree(folder)
        parent = folder.parent
        raise UserError(f"runs={parent}: its file system refuses locks ({error})") from error
    try:
        yield True
    finally:
        _give_up(lock)


def _give_up(lock: FileLock) -> None:
    """Remove a lock's file, then let go: the other way round it could be the next owner's."""
    if lock.is_locked:
        with suppress(OSError):  # Windows removes it afterwards
            Path(lock.lock_file).unlink()
    lock.release()


def _can_lock(folder: Path) -> bool:
    """Tell whether a file that nobody else knows can be locked."""
    lock = FileLock(folder / f".{uuid4()}")
    try:
        with lock.acquire(blocking=False):
            return True
    except (Timeout, OSError):
        return False
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)


def _abandoned(folder: Path) -> bool:
    """Tell whether a process was killed in a folder before it could write what run it is."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return bool(names) and names <= {".lock", "config.yaml.part"}


def _unfinished(folder: Path, config: Config) -> bool:
    """Tell whether a run of these settings was begun in a folder and has left no record."""
    same = _identity_of(folder) == identity(config.settings)
    return same and not (folder / "record.json").exists()


def _identity_of(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the run in a folder; None where no settings are readable."""
    try:
        text = files.yaml_text(folder / "config.yaml", LARGEST)
        settings: Any = OmegaConf.to_container(OmegaConf.load(StringIO(text)))
        return identity(as_typed(settings)) if isinstance(settings, dict) else None
    except (UserError, OSError, ValueError, YAMLError, OmegaConfBaseException, *DEEP):
        return None
