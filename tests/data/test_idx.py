"""The IDX reader: it gives back what was written, and says what is wrong with everything else."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

from mnist_arch.data import idx
from mnist_arch.errors import UserError

IMAGES = np.arange(2 * 28 * 28, dtype=np.uint64).astype(np.uint8).reshape(2, 28, 28)


def test_the_format_is_the_published_one() -> None:
    """Magic 0x00000803 for images, 0x00000801 for labels, then big-endian sizes, then bytes."""
    assert idx.encode(IMAGES)[:16] == struct.pack(">4I", 0x803, 2, 28, 28)
    assert idx.encode(np.array([7, 2], np.uint8)) == bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 2])


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: object
) -> None:
    folder, content = tmp_path_factory.mktemp("idx"), idx.encode(values)  # type: ignore[arg-type]
    (folder / "plain").write_bytes(content)
    (folder / "packed.gz").write_bytes(gzip.compress(content))
    for name in ("plain", "packed.gz"):
        file = idx.read(folder / name, idx.IMAGES)
        np.testing.assert_array_equal(file.values, values)
        assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "plain.gz").write_bytes(CONTENT)
    for name in ("packed", "plain.gz"):
        np.testing.assert_array_equal(idx.read(tmp_path / name, idx.IMAGES).values, IMAGES)


def test_integers_are_read_as_torchvision_reads_them(tmp_path: Path) -> None:
    """QMNIST's labels: type 12, big-endian, and of either sign."""
    labels = np.array([[3, -1, 70_000], [9, 2**31 - 1, -(2**31)]], np.int32)
    content = b"\0\0\x0c\x02" + struct.pack(">2I6i", 2, 3, *labels.flatten().tolist())
    assert idx.encode(labels) == content
    (tmp_path / "labels").write_bytes(content)
    file = idx.read(tmp_path / "labels", idx.LABELS, idx.QMNIST_LABELS)
    np.testing.assert_array_equal(file.values, labels)
    theirs = read_sn3_pascalvincent_tensor(str(tmp_path / "labels"))
    assert theirs.tolist() == file.values.tolist()


CONTENT = idx.encode(IMAGES)
BROKEN = {
    "empty": (b"", "starts with nothing"),
    "text": (b"hello, world", "it starts with 68 65 6c 6c, not 00 00 08 03"),
    "a page": (b"\r\n<!DOCTYPE html><html>404</html>", "is no IDX file but a saved web page"),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9912422\n",
        "is no IDX file but a git-lfs pointer",
    ),
    "an archive": (b"PK\x03\x04 and so on", "is no IDX file but a zip archive: unpack it"),
    "integers": (b"\0\0\x0c\x02" + bytes(8), "it starts with 00 00 0c 02, not 00 00 08 03"),
    "labels instead of images": (b"\0\0\x08\x01\0\0\0\x02\x07\x02", "it starts with 00 00 08 01"),
    "floats": (b"\0\0\x0d\x03" + CONTENT[4:], "it starts with 00 00 0d 03"),
    "half a header": (CONTENT[:10], "ends inside its header"),
    "one byte short": (CONTENT[:-1], "promises 1,568 values .* it has 1,567"),
    "one byte long": (CONTENT + b"\0", "promises 1,568 values .* more than 1,568"),
    "a header that promises terabytes": (
        struct.pack(">4I", 0x803, 2**32 - 1, 2**16, 2**16) + b"\0",
        "more than 600,000,000;",
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, name: str, packed: bool) -> None:
    content, message = BROKEN[name]
    path = tmp_path / f"file{'.gz' * packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(UserError, match=message) as caught:
        idx.read(path, idx.IMAGES)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(CONTENT)[:-20],
        gzip.compress(CONTENT)[:30] + b"\xff" * 900,
    ],
    ids=["cut short", "damaged"],
)
def test_broken_gzip_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"images\.gz: cannot be read"):
        idx.read(path, idx.IMAGES)


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(CONTENT + bytes(100_000_000), compresslevel=1))
    taken = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size: taken.append(size) or read(self, size)
    )
    with pytest.raises(UserError, match="more than 1,568"):
        idx.read(path, idx.IMAGES)
    assert sum(taken) <= 2 * idx.CHUNK


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing-here: cannot be read"):
        idx.read(tmp_path / "nothing-here", idx.LABELS)
