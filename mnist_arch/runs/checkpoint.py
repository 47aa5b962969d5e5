"""From a checkpoint file back to a network."""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.models import blank
from mnist_arch.models.network import Network
from mnist_arch.runs import records

# Bytes: the largest of ours, that of dropout_cnn with Adam's moments, has 14 MB.
LARGEST = 200_000_000
PREFIX = "net."  # the name that Classifier gives to its network
# Of a checkpoint's metadata, what says how its network is built and was trained.
BUILT = ("architecture", "arguments", "standardized", "recipe", "data", "seed")


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
    metadata = checkpoint["mnist_arch"]
    try:
        net = blank(metadata["architecture"], metadata.get("arguments"))
        if metadata.get("standardized"):
            net.standardize()
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
    for name, own in net.state_dict().items():
        if own.dtype != weights[name].dtype:  # loading has rounded them, if no worse
            raise UserError(f"{path}: its weights do not fit ({name}: {weights[name].dtype}?)")
    if not all(value.isfinite().all() for value in net.state_dict().values()):
        raise UserError(f"{path}: its weights are not all finite numbers; train it again")
    return net.to(memory_format=torch.channels_last).eval()  # as it was trained, and quicker


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint file, or the checkpoint that a run's folder says it keeps.

    Only plain data is unpickled: a file from a stranger cannot run code. What a checksum says is
    not as it was written, is refused: those of the parts of the file, and that of the weights in
    the run's record. torch packs nothing, so a file whose parts are larger than itself is a bomb.

    Raises:
        UserError: There is no such file, it is damaged, or it is not a checkpoint of this library.
    """
    expected = None
    if path.is_dir():
        kept, expected = _kept(path)
        path = path / kept
    if path.suffix == ".safetensors":
        checkpoint = read_safetensors(path)
        _check_weights(checkpoint, expected, path)
        return checkpoint
    try:
        files.plain(path, LARGEST)
        size = path.stat().st_size
        with zipfile.ZipFile(path) as parts:
            if sum(each.file_size for each in parts.infolist()) > size:
                raise UserError(f"{path}: not a readable checkpoint (packed)")
            damaged = parts.testzip()
        if damaged:
            raise UserError(f"{path}: damaged ({damaged} is not as it was written)")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such checkpoint") from error
    except pickle.UnpicklingError as error:  # torch's words advise to load what may be hostile
        raise UserError(f"{path}: not a readable checkpoint, or one of more than data") from error
    # torch calls its constructors with whatever the file says: they can raise anything.
    except Exception as error:
        raise UserError(f"{path}: not a readable checkpoint ({_line(error)})") from error
    if not _is_ours(checkpoint) or not _is_plain(checkpoint, size):
        raise UserError(f"{path}: a checkpoint, but not one that mnist_arch wrote")
    _check_weights(checkpoint, expected, path)
    return checkpoint


def write_safetensors(net: Network, metadata: Mapping[str, Any], path: Path) -> None:
    """Write a network's weights, and what a checkpoint's metadata say of how it is built."""
    weights = {name: value.contiguous() for name, value in net.state_dict().items()}
    built = {key: metadata[key] for key in BUILT if key in metadata}
    words = json.dumps(built | {"order": [*weights]}, sort_keys=True)  # the file sorts its own
    path.write_bytes(safetensors.torch.save(weights, metadata={"mnist_arch": words}))


def read_safetensors(path: Path) -> dict[str, Any]:
    """Read such a file; returns what a checkpoint holds of the same.

    Raises:
        UserError: There is no such file, it is damaged, or it is not one of this library.
    """
    try:
        files.plain(path, LARGEST)
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("mnist_arch", "null"))
            names = metadata.pop("order") if isinstance(metadata, dict) else []
            weights = {f"{PREFIX}{name}": file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file of weights") from error
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: no readable file of weights ({_line(error)})") from error
    checkpoint = {"mnist_arch": metadata, "state_dict": weights}
    if not _is_ours(checkpoint) or not _is_plain(checkpoint, path.stat().st_size):
        raise UserError(f"{path}: weights, but not such as mnist_arch wrote")
    return checkpoint


def _check_weights(checkpoint: dict[str, Any], expected: str | None, path: Path) -> None:
    if expected and weights_sha256(checkpoint["state_dict"]) != expected:
        raise UserError(f"{path}: its weights are not those of the run's record")


def _is_ours(checkpoint: Any) -> bool:
    """Whether plain data has what a checkpoint of this library has."""
    if not isinstance(checkpoint, dict):
        return False
    metadata, state = checkpoint.get("mnist_arch"), checkpoint.get("state_dict")
    if not isinstance(metadata, dict) or not isinstance(state, dict):
        return False
    tensors = all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    arguments = metadata.get("arguments", {})
    words = isinstance(arguments, dict) and all(isinstance(key, str) for key in arguments)
    return tensors and words and isinstance(metadata.get("architecture"), str)


def _is_plain(checkpoint: dict[str, Any], size: int) -> bool:
    """Whether its tensors are such as a network has, and lie in the file of that size.

    One that repeats a single number could be larger than all memory.
    """
    metadata, state = checkpoint["mnist_arch"], checkpoint["state_dict"].values()
    words = isinstance(metadata.get("recipe", ""), str)
    counts = isinstance(metadata.get("seed", 0), int)
    dense = all(
        each.layout is torch.strided and each.device.type == "cpu" and not each.is_quantized
        for each in state
    )
    return words and counts and dense and all(each.nbytes <= size for each in state)


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the names, shapes and values of a network's weights.

    Args:
        state: That of a network, or of a checkpoint, in which the names of weights begin with
            "net." and others do not count.
    """
    own = {name: value for name, value in state.items() if name.startswith(PREFIX)} or state
    sha256 = hashlib.sha256()
    for name, value in own.items():
        sha256.update(f"{name.removeprefix(PREFIX)} {value.dtype} {tuple(value.shape)}\n".encode())
        # As bytes: numpy has no bfloat16.
        plain = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        sha256.update(plain.numpy().tobytes())
    return sha256.hexdigest()


def _kept(folder: Path) -> tuple[str, str | None]:
    """Return the path of the checkpoint that a run keeps, and the checksum of its weights."""
    path = folder / "record.json"
    try:
        record = records.read_values(path, {"checkpoint"}, records.VERSION)
    except UserError as error:
        if path.exists():
            raise
        raise UserError(
            f"{folder}: has no finished run's record.json; name the checkpoint file itself"
        ) from error
    if not isinstance(record["checkpoint"], str):
        raise UserError(f"{path}: not a readable record (checkpoint)")
    return record["checkpoint"], record.get("weights_sha256")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
