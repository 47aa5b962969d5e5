"""A trained network as one file that needs nothing of this library: ONNX, or torch.export's.

Such a file holds the whole way from raw pixels to probabilities. It is kept only when, read back,
it says what the network says.
"""

import copy
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from mnist_arch import files
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES, Network
from mnist_arch.reports.card import Exported, model_card, words
from mnist_arch.runs import checkpoint, records

TOLERANCE = 1e-5  # a file that differs from its network by as much is not kept
DIGITS = 1_000  # that it is verified on

Reader = Callable[[Tensor], Sequence[Tensor]]  # (N, 1, 28, 28) uint8 -> scores, probabilities


def export(run: Path, out: Path, formats: Iterable[str], data: Dataset) -> list[Exported]:
    """Write the network of a finished run as ``out/RUN.onnx``, ``out/RUN.pt2`` or both.

    Either takes ``images``, (N, 1, 28, 28) uint8 raw pixels with any N from 1, and gives
    ``scores`` and ``probabilities``, (N, 10) float32. Either holds `card.words`: ONNX as its
    metadata, torch.export as its extra file ``metadata.json``. Beside it lies a model card
    (``RUN.onnx.md``) made from the run's record. Verified on training digits of ``data``.

    Raises:
        UserError: It is no finished run, there is no such format, a package is missing, or what
            was written differs from the network by `TOLERANCE`; of that file nothing is kept.
    """
    formats = [*formats]
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"no format {name!r}; {suggestion(name, FORMATS)}")
    record, net = records.read(run / "record.json"), checkpoint.load(run)
    if type(net) is not ARCHITECTURES.get(record.architecture):
        raise UserError(f"{run}: its record is of {record.architecture}, its weights are not")
    metadata = words(record, hashlib.sha256((run / "record.json").read_bytes()).hexdigest())
    images = sample(data.train.images)
    batches = [1, 7, len(images), len(images) + 1]
    program = traced(net)
    kept = []
    for name in formats:
        write, read = FORMATS[name]
        content = write(program, metadata)
        probabilities, scores = differences(read(content), net, images, batches)
        path = out / f"{run.resolve().name}.{name}"
        if not max(probabilities, scores) < TOLERANCE:  # NaN is not less, either
            raise UserError(
                f"{path}: not kept: it differs from the network by {probabilities:.1e} in "
                f"probabilities and {scores:.1e} in scores, and may by less than {TOLERANCE:g}"
            )
        exported = Exported(
            name=path.name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            verified_on=f"{len(images):,} training digits of {data.title}",
            batches=batches,
            probabilities=probabilities,
            scores=scores,
        )
        card = model_card(exported, record, metadata)
        out.mkdir(parents=True, exist_ok=True)
        files.write(path.with_name(f"{path.name}.md"), card.encode())
        files.write(path, content)
        kept.append(exported)
    return kept


def sample(images: Tensor) -> Tensor:
    """Choose `DIGITS` images, or all if they are fewer, at even distances."""
    return images[:: max(1, len(images) // DIGITS)][:DIGITS]


class WithProbabilities(nn.Module):
    """(N, 1, 28, 28) raw pixels -> (N, 10) scores and (N, 10) probabilities; nothing to train."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        for tensor in (*self.net.parameters(), *self.net.buffers()):
            # torch.export saves whole storages, and warns of a tensor that is a part of one.
            tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Read the images."""
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
        import onnxruntime  # noqa: F401 that reads the file back
        import onnxscript  # noqa: F401 that torch writes it by
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


def read_onnx(content: bytes) -> Reader:
    """Return what reads images as an ONNX file does, by onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def read(images: Tensor) -> list[Tensor]:
        return [torch.from_numpy(each) for each in session.run(None, {"images": images.numpy()})]

    return read


def torch_file(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    """Write a program as torch.export does."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"metadata.json": json.dumps(metadata)})
    return file.getvalue()


def read_torch(content: bytes) -> Reader:
    """Return what reads images as a file of torch.export does."""
    return torch.export.load(io.BytesIO(content)).module()


FORMATS = {"onnx": (onnx_file, read_onnx), "pt2": (torch_file, read_torch)}  # by a file's ending


def differences(
    read: Reader, net: Network, images: Tensor, batches: Iterable[int]
) -> tuple[float, float]:
    """Return by how much a reader differs from a network, at most, in batches of any size.

    First in probabilities, then in scores; the difference of a score is divided by the greatest of
    its image, without its sign, where that exceeds 1: the scores of lenet5_1998 are squared
    distances of several hundreds. NaN in either makes NaN of the difference.
    """
    worst = torch.zeros(2)
    with torch.inference_mode():
        scores = net(images)
        probabilities = net.head.probabilities(scores)
        unit = scores.abs().amax(1, keepdim=True).clamp(min=1)
        for size in batches:
            chosen = torch.arange(size) % len(images)
            read_scores, read_probabilities = read(images[chosen])
            found = (
                (read_probabilities - probabilities[chosen]).abs().max(),
                ((read_scores - scores[chosen]) / unit[chosen]).abs().max(),
            )
            worst = worst.maximum(torch.stack(found))
    return worst[0].item(), worst[1].item()
