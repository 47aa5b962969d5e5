"""Files that appear whole or not at all, and are read only if they can be what they should."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_arch.errors import UserError


@contextmanager
def whole(path: Path, before: Path | None = None) -> Iterator[Path]:
    """Lend a path to write to; the file gets its own name, ``path``, when all is written.

    The file that had this name before is kept as ``before``, if that is given.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        if before and path.exists():
            path.replace(before)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path, most: int) -> bytes:
    """Read a plain file of at most so many bytes.

    A pipe would be waited for, a device read without end.

    Raises:
        UserError: It is something else, or larger.
        OSError: It is not there, or cannot be read.
    """
    plain(path, most)
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:  # it grew, or did not tell its size, as those of /proc
        raise UserError(_too_large(path, most))
    return content


def plain(path: Path, most: int) -> None:
    """Refuse what is no plain file of at most so many bytes.

    Raises:
        UserError: It is none.
        OSError: It is not there.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a file")
    if status.st_size > most:
        raise UserError(_too_large(path, most))


def yaml_text(path: Path, most: int) -> str:
    """Read the text of a YAML file of at most so many bytes that repeats nothing by aliases.

    A few lines of them can stand for more than all memory.

    Raises:
        UserError: It is no such file.
        OSError: It is not there, or cannot be read.
        ValueError: It is not UTF-8.
        YAMLError: It is not YAML.
    """
    import yaml  # not needed by those who only write

    text = read(path, most).decode()
    if "*" in text and any(isinstance(each, yaml.AliasToken) for each in yaml.scan(text)):
        raise UserError(f"{path}: has aliases (*), which are not taken")
    return text


def _too_large(path: Path, most: int) -> str:
    return f"{path}: larger than {most / 1e6:,.0f} MB, which no such file is"


def target(word: str) -> Path:
    """Check the name of a file that is to be written, before the work that fills it.

    Raises:
        UserError: It is a folder's name, or there is no folder to put it in.
    """
    path = Path(word)
    if path.is_dir():
        raise UserError(f"{word}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"{word}: there is no folder {path.parent}")
    return path


def write(path: Path, content: str | bytes) -> None:
    """Write a whole file."""
    with whole(path) as unfinished:
        if isinstance(content, str):
            # A file's name need not be text.
            unfinished.write_text(content, encoding="utf-8", errors="backslashreplace")
        else:
            unfinished.write_bytes(content)
