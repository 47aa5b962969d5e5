"""A trained network as one file that needs nothing of this library: ONNX, or torch.export's.

Such a file holds every step from raw pixels to probabilities. It is kept only if, loaded again, it
predicts what the network predicts.
"""

import copy
import hashlib
import io
import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mnist_arch import files
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError, suggestion
from mnist_arch.inference.metadata import metadata
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.network import Network
from mnist_arch.runs import checkpoint, records

TOLERANCE = 1e-5  # a file that differs from its network by this much is not kept
IMAGES = 1_000  # for verification

Program = Callable[[Tensor], Sequence[Tensor]]  # (N, 1, 28, 28) uint8 -> scores, probabilities


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written and verified.

    Attributes:
        name: Its own, ending in ``.onnx`` or ``.pt2``.
        size: Bytes.
        sha256: Of its bytes.
        verified_on: Which images it was verified on.
        batches: In batches of which sizes.
        probabilities: The greatest difference from the network's own.
        scores: Likewise, in units of the image's greatest score (of 1, if that is less).
    """

    name: str
    size: int
    sha256: str
    verified_on: str
    batches: list[int]
    probabilities: float
    scores: float


def export(run: Path, out: Path, formats: Iterable[str], data: Dataset) -> list[Exported]:
    """Write the network of a finished run as ``out/RUN.onnx``, ``out/RUN.pt2`` or both.

    Either takes ``images``, (N, 1, 28, 28) uint8 raw pixels with any N from 1, and gives
    ``scores`` and ``probabilities``, (N, 10) float32. Either holds its `metadata`, torch.export as
    the extra file ``metadata.json``. Verified on training images of ``data``.

    Raises:
        UserError: It is no finished run, there is no such format, a package is missing, or the
            file differs from the network by `TOLERANCE`; then it is not kept.
    """
    formats = [*formats]
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"no format {name!r}; {suggestion(name, FORMATS)}")
    record, net = records.read(run / "record.json"), checkpoint.load(run)
    net = net.to(memory_format=torch.contiguous_format)  # as in the files: it rounds alike
    if type(net) is not ARCHITECTURES.get(record.architecture):
        raise UserError(f"{run}: its record is of {record.architecture}, its weights are not")
    words = metadata(run)
    images = sample(data.train.images)
    batches = [1, 7, len(images), len(images) + 1]
    program = traced(net)
    exported = []
    for name in formats:
        write, load = FORMATS[name]
        content = write(program, words)
        probabilities, scores = differences(load(content), net, images, batches)
        path = out / f"{run.resolve().name}.{name}"
        if not max(probabilities, scores) < TOLERANCE:  # NaN is not less, either
            raise UserError(
                f"{path}: not kept: it differs from the network by {probabilities:.1e} in "
                f"probabilities and {scores:.1e} in scores; the limit is {TOLERANCE:g}"
            )
        out.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
        exported.append(
            Exported(
                name=path.name,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                verified_on=f"{len(images):,} training images of {data.title}",
                batches=batches,
                probabilities=probabilities,
                scores=scores,
            )
        )
    return exported


def sample(images: Tensor) -> Tensor:
    """Choose `IMAGES` images at even distances, or all if they are fewer."""
    return images[:: max(1, len(images) // IMAGES)][:IMAGES]


class WithProbabilities(nn.Module):
    """(N, 1, 28, 28) raw pixels -> (N, 10) scores and (N, 10) probabilities; nothing to train."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        for tensor in (*self.net.parameters(), *self.net.buffers()):
            # torch.export saves whole storages, and warns of a tensor that is a part of one.
            tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.net(images)
        return scores, self.net.head.probabilities(scores)


def traced(net: Network) -> ExportedProgram:
    """Trace a network for uint8 pixels and any number of images."""
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    free = ({0: Dim("batch", min=1)},)
    program = torch.export.export(WithProbabilities(net), (images,), dynamic_shapes=free)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def onnx_file(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    """Write a program as ONNX, its weights inside.

    Raises:
        UserError: A package is missing.
    """
    try:
        import onnxruntime  # noqa: F401 loads the file again
        import onnxscript  # noqa: F401 torch writes it with this
    except ImportError as error:
        raise UserError(
            f"the format onnx needs a package ({error}): pip install -e '.[export]', "
            "or leave it out"
        ) from error
    model = torch.onnx.export(
        program,
        input_names=["images"],
        output_names=["scores", "probabilities"],
        dynamic_shapes=({0: "batch"},),
        dynamo=True,
        verbose=False,
    )
    assert model is not None
    model.model.metadata_props.update(metadata)
    return model.model_proto.SerializeToString()


def load_onnx(content: bytes) -> Program:
    """Load an ONNX file with onnxruntime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def program(images: Tensor) -> list[Tensor]:
        return [torch.from_numpy(each) for each in session.run(None, {"images": images.numpy()})]

    return program


def torch_file(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    """Write a program as torch.export does."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"metadata.json": json.dumps(metadata)})
    return file.getvalue()


def load_torch(content: bytes) -> Program:
    """Load a file of torch.export."""
    with warnings.catch_warnings():
        # torch 2.9 reads the weights from a buffer that it then only copies.
        warnings.filterwarnings("ignore", "The given buffer is not writable")
        return torch.export.load(io.BytesIO(content)).module()


FORMATS = {"onnx": (onnx_file, load_onnx), "pt2": (torch_file, load_torch)}  # by a file's ending


def differences(
    program: Program, net: Network, images: Tensor, batches: Iterable[int]
) -> tuple[float, float]:
    """Return the greatest differences between a loaded file and its network, over batches.

    First of probabilities, then of scores, divided by the image's greatest absolute score where
    that exceeds 1: those of lenet5_1998 are squared distances of several hundreds. NaN in
    either makes the difference NaN.
    """
    worst = torch.zeros(2)
    with torch.inference_mode():
        scores = net(images)
        probabilities = net.head.probabilities(scores)
        unit = scores.abs().amax(1, keepdim=True).clamp(min=1)
        for size in batches:
            chosen = torch.arange(size) % len(images)
            its_scores, its_probabilities = program(images[chosen])
            greatest = (
                (its_probabilities - probabilities[chosen]).abs().max(),
                ((its_scores - scores[chosen]) / unit[chosen]).abs().max(),
            )
            worst = worst.maximum(torch.stack(greatest))
    return worst[0].item(), worst[1].item()
