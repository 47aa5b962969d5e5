"""Which command, code, libraries and data made a result, and on what machine."""

import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CODE = (":/conf", ":/experiments", ":/mnist_arch")  # git's pathspecs of what makes a result
LIBRARIES = ("torch", "torchvision", "numpy", "pytorch-lightning", "hydra-core")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a record comes from.

    Attributes:
        command: A command that makes it again.
        commit: Of this project's checkout, None outside one.
        dirty: Whether its code had uncommitted changes; in older records, whether anything
            in it had.
        versions: Of Python and the libraries.
        data_sha256: Of each file that the data was read from, uncompressed; of a run that tests a
            fold, also of that (``test fold``).
    """

    command: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    data_sha256: dict[str, str]

    @classmethod
    def of(cls, command: str, data_sha256: dict[str, str]) -> "Provenance":
        """Gather what holds now."""
        commit, dirty = _commit()
        return cls(
            command=command,
            commit=commit,
            dirty=dirty,
            versions=versions(),
            data_sha256=data_sha256,
        )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def device(place: "torch.device") -> str:
    """Describe a device: the GPU's name, or the number of CPU threads in use."""
    import torch

    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    threads = torch.get_num_threads()
    return f"{place.type}, {threads} thread{'s' * (threads > 1)}"


def _commit() -> tuple[str | None, bool | None]:
    here = Path(__file__).parent
    head = _git(here, "rev-parse", "HEAD")
    # An installed copy may lie inside somebody else's checkout; its files are not tracked there.
    if head is None or not _git(here, "ls-files", "--error-unmatch", __file__):
        return None, None
    return head, bool(_git(here, "status", "--porcelain", "--", *CODE))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
