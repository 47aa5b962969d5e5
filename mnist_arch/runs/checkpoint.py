"""From a checkpoint file back to a network."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from mnist_arch.errors import UserError
from mnist_arch.models import blank
from mnist_arch.models.network import Network

PREFIX = "net."  # the name that Classifier gives to its network


def load(path: Path) -> Network:
    """Load a trained network in evaluation mode.

    Raises:
        UserError: There is no such file, or it is not a checkpoint of this library.
    """
    return network(read(path), path)


def network(checkpoint: dict[str, Any], path: Path) -> Network:
    """Build the network that was `read` from a path, in evaluation mode.

    Raises:
        UserError: The weights are not its own.
    """
    try:
        net = blank(checkpoint["mnist_arch"]["architecture"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    weights = {
        name.removeprefix(PREFIX): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(PREFIX)
    }
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: its weights do not fit ({_line(error)})") from error
    return net.to(memory_format=torch.channels_last).eval()  # as it was trained, and quicker


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint file, or the checkpoint that a run's folder says it keeps.

    Only plain data is unpickled: a file from a stranger cannot run code.

    Raises:
        UserError: There is no such file, or it is not a checkpoint of this library.
    """
    if path.is_dir():
        path = path / _kept(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such checkpoint") from error
    except pickle.UnpicklingError as error:  # torch's words advise to load what may be hostile
        raise UserError(f"{path}: not a readable checkpoint, or one of more than data") from error
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(f"{path}: not a readable checkpoint ({_line(error)})") from error
    metadata = checkpoint.get("mnist_arch") if isinstance(checkpoint, dict) else None
    whole = isinstance(metadata, dict) and "architecture" in metadata
    if not whole or "state_dict" not in checkpoint:
        raise UserError(f"{path}: a checkpoint, but not one that mnist_arch wrote")
    return checkpoint


def _kept(folder: Path) -> str:
    try:
        return str(json.loads((folder / "record.json").read_text())["checkpoint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: has no finished run's record.json; name the checkpoint file itself"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
