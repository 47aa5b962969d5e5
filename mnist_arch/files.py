"""Files that appear whole or not at all, whatever ends the writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Lend a path to write to; the file gets its own name, ``path``, when all is written."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a whole file."""
    with whole(path) as unfinished:
        if isinstance(content, str):
            unfinished.write_text(content, encoding="utf-8")
        else:
            unfinished.write_bytes(content)
