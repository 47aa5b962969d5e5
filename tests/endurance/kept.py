"""What was found last, by kind, reader, environment and Python: results/endurance.

docs/endurance.md is made from it (`python -m tests.endurance.page`).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import read_values, write_values

FOLDER, VERSION = Path("results/endurance"), 1


def read(name: str, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return what was found of each thing; empty where nothing was."""
    path = folder / f"{name}.json"
    found: dict[str, dict[str, Any]] = (
        read_values(path, {"found"}, VERSION)["found"] if path.exists() else {}
    )
    return found


def keep(name: str, thing: str, found: dict[str, Any], command: str, order: Sequence[str]) -> None:
    """Put what was found of a thing in the place of what was found before.

    Args:
        name: Of the file.
        thing: What was tried.
        found: What came of it.
        command: What tries it again.
        order: All things, of which others are forgotten.
    """
    provenance = Provenance.of(command, {})
    known = read(name) | {
        thing: found
        | {
            "command": command,
            "commit": provenance.commit,
            "dirty": provenance.dirty,
            "versions": provenance.versions,
            "cores": len(os.sched_getaffinity(0)),
        }
    }
    FOLDER.mkdir(exist_ok=True)
    values = {"version": VERSION, "found": {each: known[each] for each in order if each in known}}
    write_values(FOLDER / f"{name}.json", values)
