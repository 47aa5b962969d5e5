"""The IDX format: two zero bytes, a type byte (8 = unsigned byte, 12 = 32-bit integer), a byte for
the number of dimensions, each dimension as a big-endian uint32, then the values.

torchvision has a reader too. This one says what is wrong with a file, never reads more than the
header promises (so a gzip bomb stays unexploded), believes no header that promises more than any
file has, and gives the digest of what it read.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_arch import files
from mnist_arch.errors import UserError

FILES = (  # images and labels of the training set, then of the test set
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
UNSIGNED_BYTE, INTEGER = 8, 12
TYPES: dict[int, np.dtype[Any]] = {
    UNSIGNED_BYTE: np.dtype(np.uint8),
    INTEGER: np.dtype(">i4"),
}
NAMES = {UNSIGNED_BYTE: "unsigned bytes", INTEGER: "integers"}
IMAGES, LABELS = (UNSIGNED_BYTE, 3), (UNSIGNED_BYTE, 1)  # type and dimensions
QMNIST_LABELS = (INTEGER, 2)  # eight columns, of which the first is the digit
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
# What people have under such a name, by its first bytes in lower case.
IMPOSTORS = (
    (b"version https://git-lfs", "a git-lfs pointer: `git lfs pull` brings the file itself"),
    (b"<", "a saved web page: the server, or a proxy, sent that for the file"),
    (b"pk\x03\x04", "a zip archive: unpack it"),
)
MOST_VALUES = 600_000_000  # of one file: EMNIST ByClass, 28x28's largest, has 697,932 x 784


@dataclass(frozen=True)
class IdxFile:
    """The values of one file, and the SHA-256 of its uncompressed bytes."""

    values: NDArray[np.generic]
    sha256: str


def read(path: Path, *kinds: tuple[int, int]) -> IdxFile:
    """Read an IDX file, plain or gzip-compressed whatever its name says.

    Args:
        path: Of the file.
        kinds: The pairs of type and number of dimensions that it may have.

    Raises:
        UserError: The file cannot be read, or it is of none of these kinds.
    """
    try:
        files.plain(path, MOST_VALUES + CHUNK)
        with _opened(path) as file:
            magic = file.read(4)
            dtype, dimensions = _kind(path, magic, kinds)
            sizes = file.read(4 * dimensions)
            if len(sizes) < 4 * dimensions:
                raise UserError(f"{path}: ends inside its header; get the file anew")
            shape = struct.unpack(f">{dimensions}I", sizes)
            expected = int(np.prod(shape, dtype=object))
            if expected > MOST_VALUES:
                raise UserError(
                    f"{path}: its header promises {expected:,} values {shape}, more than "
                    f"{MOST_VALUES:,}; get the file anew"
                )
            body = bytearray()
            while len(body) <= expected * dtype.itemsize and (chunk := file.read(CHUNK)):
                body += chunk
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); get the file anew") from error
    if len(body) != expected * dtype.itemsize:
        got = len(body) // dtype.itemsize
        found = f"more than {expected:,}" if got >= expected else f"{got:,}"
        raise UserError(
            f"{path}: its header promises {expected:,} values {shape}, it has {found}; "
            "get the file anew"
        )
    values = np.frombuffer(body, dtype).reshape(shape)
    return IdxFile(values, hashlib.sha256(magic + sizes + body).hexdigest())


def encode(values: NDArray[np.generic]) -> bytes:
    """Return the bytes of an IDX file that holds these unsigned bytes, or 32-bit integers."""
    code = UNSIGNED_BYTE if values.dtype == np.uint8 else INTEGER
    magic = bytes([0, 0, code, values.ndim])
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return magic + sizes + values.astype(TYPES[code]).tobytes()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; what begins as gzip does is unpacked meanwhile."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if packed:
            with gzip.open(file) as unpacked:
                yield unpacked  # type: ignore[misc] # of typeshed's gzip: it reads bytes
        else:
            yield file


def _kind(
    path: Path, magic: bytes, kinds: tuple[tuple[int, int], ...]
) -> tuple[np.dtype[Any], int]:
    """Return the type and the number of dimensions that a file's first four bytes say."""
    for code, dimensions in kinds:
        if magic == bytes([0, 0, code, dimensions]):
            return TYPES[code], dimensions
    with _opened(path) as file:
        start = file.read(100).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what in IMPOSTORS:
        if start.startswith(beginning):
            raise UserError(f"{path}: is no IDX file but {what}")
    code, dimensions = kinds[0]
    values, wanted = NAMES[code], bytes([0, 0, code, dimensions])
    raise UserError(
        f"{path}: is not an IDX file of {values} in {dimensions} dimensions: it starts with "
        f"{magic.hex(' ') or 'nothing'}, not {wanted.hex(' ')}"
    )
