"""What the records in results/endurance say of where they come from."""

import os
from pathlib import Path
from typing import Any

from mnist_arch.runs.provenance import Provenance

FOLDER = Path("results/endurance")


def of(command: str) -> dict[str, Any]:
    """Return the command, the commit, versions, and the number of cores."""
    found = Provenance.of(command, {}, within=":/mnist_arch")
    return {
        "command": command,
        "commit": found.commit,
        "dirty": found.dirty,
        "versions": found.versions,
        "cores": len(os.sched_getaffinity(0)),
    }
