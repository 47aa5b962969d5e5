"""The IDX format: two zero bytes, a type byte (8 = unsigned byte), a byte for the number of
dimensions, each dimension as a big-endian uint32, then the values.

torchvision has a reader too. This one says what is wrong with a file, never reads more than the
header promises (so a gzip bomb stays unexploded), believes no header that promises more than any
file has, and gives the digest of what it read.
"""

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_arch import files
from mnist_arch.errors import UserError

FILES = (  # images and labels of the training set, then of the test set
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
UNSIGNED_BYTE = 8
CHUNK = 1 << 20
MOST_VALUES = 600_000_000  # of one file: EMNIST ByClass, 28x28's largest, has 697,932 x 784


@dataclass(frozen=True)
class IdxFile:
    """The values of one file, and the SHA-256 of its uncompressed bytes."""

    values: NDArray[np.uint8]
    sha256: str


def read(path: Path, *, dimensions: int) -> IdxFile:
    """Read a plain or gzip-compressed IDX file of unsigned bytes.

    Raises:
        UserError: The file cannot be read, or it is not such a file with so many dimensions.
    """
    try:
        files.plain(path, MOST_VALUES + CHUNK)
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(path, header, dimensions)
            expected = int(np.prod(shape, dtype=object))
            if expected > MOST_VALUES:
                raise UserError(
                    f"{path}: its header promises {expected:,} values {shape}, more than "
                    f"{MOST_VALUES:,}; get the file anew"
                )
            body = bytearray()
            while len(body) <= expected and (chunk := file.read(CHUNK)):
                body += chunk
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); get the file anew") from error
    if len(body) != expected:
        got = f"more than {expected:,}" if len(body) > expected else f"{len(body):,}"
        raise UserError(
            f"{path}: its header promises {expected:,} values {shape}, it has {got}; "
            "get the file anew"
        )
    values = np.frombuffer(body, np.uint8).reshape(shape)
    sha256 = hashlib.sha256(header)
    sha256.update(body)
    return IdxFile(values, sha256.hexdigest())


def encode(values: NDArray[np.uint8]) -> bytes:
    """Return the bytes of an IDX file that holds these values."""
    magic = bytes([0, 0, UNSIGNED_BYTE, values.ndim])
    return magic + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if header[:4] != magic:
        raise UserError(
            f"{path}: is not an IDX file of unsigned bytes in {dimensions} dimensions: "
            f"it starts with {header[:4].hex(' ') or 'nothing'}, not {magic.hex(' ')}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise UserError(f"{path}: ends inside its header; get the file anew")
    return struct.unpack(f">{dimensions}I", header[4:])
