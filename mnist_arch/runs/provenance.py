"""Which code, libraries and machine made a result."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

LIBRARIES = ("torch", "torchvision", "numpy", "pytorch-lightning", "hydra-core")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def commit(within: str = ":/") -> tuple[str | None, bool | None]:
    """Return this project's commit and whether files differ from it; None outside a checkout.

    Files are those of a git pathspec, by default all.
    """
    here = Path(__file__).parent
    head = _git(here, "rev-parse", "HEAD")
    # An installed copy may lie inside somebody else's checkout; its files are not tracked there.
    if head is None or not _git(here, "ls-files", "--error-unmatch", __file__):
        return None, None
    return head, bool(_git(here, "status", "--porcelain", "--", within))


def device(place: torch.device) -> str:
    """Describe a device: the GPU's name, or the number of CPU threads in use."""
    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    threads = torch.get_num_threads()
    return f"{place.type}, {threads} thread{'s' * (threads > 1)}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
