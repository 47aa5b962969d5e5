"""What the words of a command name: runs and pictures, by folders, files or patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from experiments.command import say
from mnist_arch.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
NAMED = 5  # files that are left out, at most; of more, how many there are


def matches(word: str) -> list[str]:
    """Return the path of that very name, or else those that match it as a glob, in order.

    What names a folder is no pattern: in ``scans [2024]/*.png`` only the last part is one.
    """
    if Path(word).exists():
        return [word]
    folder, rest = Path(), list(Path(word).parts)
    while rest and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    pattern = str(Path(glob.escape(str(folder)), *rest))
    return sorted(glob.glob(pattern, recursive=True))


def runs(words: Sequence[str | Path]) -> list[Path]:
    """Return the runs that words name, as folders, record files or shipped weights, each once.

    What stands among runs and is none, the mean of several seeds, is left out, and so is a run
    that repeats one before it; standard error says so.

    Raises:
        UserError: A word names nothing, or a record is not readable.
    """
    from mnist_arch.analysis.groups import kind
    from mnist_arch.runs import records
    from mnist_arch.runs.folders import MEAN
    from mnist_arch.runs.shipped import named

    paths: list[Path] = []
    for word in map(str, words):
        found = [*map(Path, matches(word))]
        if not found and (folder := named(word)):
            found = [folder]
        if not found:
            raise UserError(f"{word}: no such run folder or record file")
        paths += found
    firsts: dict[tuple[str, int, str], Path] = {}
    for path in paths:
        if (path / MEAN).exists():
            say(f"{path}: the mean of several runs, left out")
            continue
        record = records.read(path)
        data = str(record.provenance.data_sha256)  # files of one's own have all the same name
        first = firsts.setdefault((kind(record), record.seed, data), path)
        if _file(first) != _file(path):
            say(f"{path}: the same run as {first}, counted once")
    return [*firsts.values()]


def _file(run: Path) -> Path:
    """Return the record of a run that is given by its folder or this file."""
    return (run / "record.json" if run.is_dir() else run).resolve()


def is_network(word: str) -> bool:
    """Tell a network (a run, a checkpoint, the name of shipped weights) from pictures."""
    from mnist_arch.runs.shipped import named

    path = Path(word)
    if path.is_dir():
        return (path / "record.json").exists() or (path / "checkpoints").exists()
    return path.suffix in (".ckpt", ".safetensors") or (not path.exists() and bool(named(word)))


def pictures(word: str) -> list[str]:
    """Name the pictures of a folder, those that a glob matches, or one file; - is standard input.

    Of a folder, files of other kinds are left out, and standard error names them; hidden ones, as
    a Mac keeps one beside each file of a stick, are none that anybody put there.

    Raises:
        UserError: There are none.
    """
    if word == "-":
        return [word]
    if not Path(word).is_dir():
        names = [name for name in matches(word) if Path(name).is_file()]
    else:
        from mnist_arch.inference.pictures import is_picture  # with numpy and Pillow

        files = [path for path in sorted(Path(word).iterdir()) if path.is_file()]
        files = [path for path in files if not path.name.startswith(".")]
        names = [
            str(path) for path in files if path.suffix.lower() in SUFFIXES or is_picture(path)
        ]
        if others := [path.name for path in files if str(path) not in names]:
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            say(
                f"{word}: left out, no pictures of a known kind: {', '.join(others[:NAMED])}{more}"
            )
    if not names:
        raise UserError(f"{word}: no pictures there")
    return names
