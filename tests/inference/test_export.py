"""Exported files: they predict what the network predicts, and say what they are."""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.data.sources import Dataset
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference import export as exporting
from mnist_arch.inference.export import differences, export, sample, torch_file
from mnist_arch.models.heads import KerasSigmoid
from mnist_arch.models.network import Network
from tests.factories import finished_run, record

# torch.export itself still uses what a later Python or torch will take away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sources.load("mnist_5k", Path("unused"))


def read_onnx(path: Path, images: Tensor) -> tuple[list[Tensor], dict[str, str]]:
    session = onnxruntime.InferenceSession(path)
    outputs = session.run(["scores", "probabilities"], {"images": images.numpy()})
    return [
        torch.from_numpy(each) for each in outputs
    ], session.get_modelmeta().custom_metadata_map


def read_torch(path: Path, images: Tensor) -> tuple[list[Tensor], dict[str, str]]:
    extra = {"metadata.json": ""}
    outputs = torch.export.load(path, extra_files=extra).module()(images)
    return list(outputs), json.loads(extra["metadata.json"])


def test_an_onnx_file_takes_no_floats(tmp_path: Path, data: Dataset) -> None:
    """Which could be of 0 to 1, as torchvision scales them, and would be read as nearly black."""
    few = replace(data, train=Split(data.train.images[:20], data.train.labels[:20]))
    export(finished_run(tmp_path / "run", "dense"), tmp_path, ["onnx"], few)
    session = onnxruntime.InferenceSession(tmp_path / "run.onnx")
    with pytest.raises(Exception, match=r"expected: .*uint8"):
        session.run(None, {"images": torch.rand(1, 1, 28, 28).numpy()})


@pytest.mark.parametrize("name", mnist_arch.architectures())
def test_a_file_predicts_what_the_network_does(tmp_path: Path, data: Dataset, name: str) -> None:
    run, out = finished_run(tmp_path / "run", name), tmp_path / "out"
    few = replace(data, train=Split(data.train.images[::200], data.train.labels[::200]))
    # ONNX takes seconds; these three, with mlp below, have all layers and heads that there are.
    also_onnx = name in ("lenet5_1998", "tanh_cnn", "augmented_cnn")
    formats = ["pt2", "onnx"] if also_onnx else ["pt2"]
    exported = export(run, out, formats, few)
    names = [f"run.{ending}" for ending in formats]
    assert {path.name for path in out.iterdir()} == {*names}
    net = mnist_arch.load(run).net
    digest = hashlib.sha256((run / "record.json").read_bytes()).hexdigest()
    for file, file_name, read in zip(exported, names, (read_torch, read_onnx), strict=False):
        content = (out / file_name).read_bytes()
        assert (file.name, file.size) == (file_name, len(content))
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert max(file.probabilities, file.scores) < 1e-5
        for count in (1, 3, 50):  # of other digits, in other numbers than it was verified on
            images = data.test.images[:count]
            (scores, probabilities), words = read(out / file_name, images)
            with torch.inference_mode():
                expected = net(images)
            rounding = 1e-5 * max(1, expected.abs().max().item())
            torch.testing.assert_close(scores, expected, rtol=1e-5, atol=rounding)
            expected = net.head.probabilities(expected)
            torch.testing.assert_close(probabilities, expected, rtol=0, atol=1e-5)
        assert (words["architecture"], words["record_sha256"]) == (name, digest)
        for folder in (Path(mnist_arch.__file__).parents[1], Path(sys.prefix), tmp_path):
            assert str(folder).encode() not in content
    if also_onnx:
        onnx.checker.check_model(onnx.load(out / "run.onnx"), full_check=True)


def spoilt(change: float) -> Callable[[ExportedProgram, dict[str, str]], bytes]:
    def write(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
        program.state_dict["net.output.bias"][3] += change
        return torch_file(program, metadata)

    return write


@pytest.mark.parametrize("change", [1e-3, torch.nan])
def test_a_file_that_differs_is_not_kept(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch, change: float
) -> None:
    run, out = finished_run(tmp_path / "run", "mlp"), tmp_path / "out"
    out.mkdir()
    (out / "run.pt2").write_text("the one of before")
    monkeypatch.setitem(exporting.FORMATS, "pt2", (spoilt(change), exporting.load_torch))
    with pytest.raises(UserError, match=r"run\.pt2: not kept: it differs from the network by"):
        export(run, out, ["pt2"], data)
    assert [path.read_text() for path in out.iterdir()] == ["the one of before"]


def test_differences_are_of_probabilities_and_of_scores_by_their_image() -> None:
    class Fixed(Network):
        head = KerasSigmoid()

        def forward(self, images: Tensor) -> Tensor:
            scores = torch.zeros(len(images), 10)
            scores[:, 0] = -400 * (images.flatten(1)[:, 0] > 0)
            return scores

    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    images[1] = 1  # its greatest score is 400 without its sign, that of the other image 0

    def reader(where: int, off: float) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        def read(images: Tensor) -> tuple[Tensor, Tensor]:
            scores = Fixed()(images)
            probabilities = scores.softmax(1)
            scores[images.flatten(1)[:, 0] == where, 5] += off
            return scores, probabilities

        return read

    assert differences(reader(0, 0.25), Fixed(), images, [1, 2]) == (0, 0.25)
    assert differences(reader(1, -100), Fixed(), images, [1, 2]) == (0, 0.25)
    assert differences(reader(1, -100), Fixed(), images, [1]) == (0, 0)  # the first alone
    assert differences(reader(1, -100), Fixed(), images, [5]) == (0, 0.25)
    worse = differences(reader(1, torch.nan), Fixed(), images, [2, 1])
    assert torch.tensor(worse).isnan().tolist() == [False, True]


def test_digits_are_taken_at_even_distances() -> None:
    def chosen(count: int) -> list[int]:
        return sample(torch.arange(count)).tolist()

    assert chosen(60_000) == list(range(0, 60_000, 60))
    assert chosen(1_999) == list(range(1_000))
    assert chosen(12) == list(range(12))


def test_what_cannot_be_exported_is_named(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = finished_run(tmp_path / "run", "dense"), tmp_path / "out"
    for folder, formats, message in (
        (run, ["onx"], "no format 'onx'; did you mean onnx?"),
        (tmp_path / "nowhere", ["pt2"], "nowhere/record.json: not a readable record"),
        (run / "checkpoints/last.ckpt", ["pt2"], "not a readable record"),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            export(folder, out, formats, data)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"the format onnx .*onnxscript.*: pip install -e '.\[exp"):
        export(run, out, ["onnx"], data)
    record(architecture="mlp", checkpoint="checkpoints/last.ckpt").write(run)
    with pytest.raises(UserError, match="run: its record is of mlp, its weights are not"):
        export(run, out, ["pt2"], data)
    (run / "checkpoints/last.ckpt").unlink()
    with pytest.raises(UserError, match=r"last\.ckpt: no such checkpoint"):
        export(run, out, ["pt2"], data)
    assert not out.exists()
