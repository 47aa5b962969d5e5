"""Exported files: they read what the network reads, wherever they are, and say what they are."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram

import mnist_arch
from experiments.export import main
from mnist_arch.data import sources
from mnist_arch.data.sources import Dataset
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference import export as exporting
from mnist_arch.inference.export import differences, export, sample, torch_file
from mnist_arch.models.heads import KerasSigmoid
from mnist_arch.models.network import Network
from mnist_arch.reports import card
from tests.runs.test_records import record

# torch.export itself still uses what a later Python or torch will take away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

Command = Callable[..., subprocess.CompletedProcess[str]]
FIGURES = {
    "train_errors": 123,
    "train_loss": 0.01234,
    "test_errors": 55,
    "test_loss": 0.0555,
    "test_errors_by_digit": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "claim": {"source": "a paper, section 5", "test_accuracy": 99.05, "train_accuracy": None},
    "note": "What the paper leaves open.",
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sources.load("mnist_5k", Path("unused"))


def finished_run(folder: Path, name: str, **changes: Any) -> Path:
    """The folder of a finished run whose weights are as they were drawn."""
    (folder / "checkpoints").mkdir(parents=True)
    weights = {f"net.{key}": value for key, value in mnist_arch.build(name).state_dict().items()}
    checkpoint = {"mnist_arch": {"architecture": name}, "state_dict": weights}
    torch.save(checkpoint, folder / "checkpoints/last.ckpt")
    values = {"architecture": name, "checkpoint": "checkpoints/last.ckpt", **FIGURES, **changes}
    record(**values).write(folder)
    return folder


def read_onnx(path: Path, images: Tensor) -> tuple[list[Tensor], dict[str, str]]:
    session = onnxruntime.InferenceSession(path)
    found = session.run(["scores", "probabilities"], {"images": images.numpy()})
    return [torch.from_numpy(each) for each in found], session.get_modelmeta().custom_metadata_map


def read_torch(path: Path, images: Tensor) -> tuple[list[Tensor], dict[str, str]]:
    extra = {"metadata.json": ""}
    found = torch.export.load(path, extra_files=extra).module()(images)
    return list(found), json.loads(extra["metadata.json"])


@pytest.mark.parametrize("name", mnist_arch.architectures())
def test_a_file_reads_as_the_network_does(tmp_path: Path, data: Dataset, name: str) -> None:
    run, out = finished_run(tmp_path / "run", name), tmp_path / "out"
    few = replace(data, train=Split(data.train.images[::200], data.train.labels[::200]))
    # ONNX takes seconds; these three, with mlp below, have all layers and heads that there are.
    also_onnx = name in ("lenet5_1998", "tanh_cnn", "augmented_cnn")
    formats = ["pt2", "onnx"] if also_onnx else ["pt2"]
    kept = export(run, out, formats, few)
    names = [f"run.{ending}" for ending in formats]
    assert {path.name for path in out.iterdir()} == {*names, *(f"{name}.md" for name in names)}
    net = mnist_arch.load(run).net
    digest = hashlib.sha256((run / "record.json").read_bytes()).hexdigest()
    for file, file_name, read in zip(kept, names, (read_torch, read_onnx), strict=False):
        content = (out / file_name).read_bytes()
        assert (file.name, file.size) == (file_name, len(content))
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert max(file.probabilities, file.scores) < 1e-5
        for count in (1, 3, 50):  # of other digits, in other numbers than it was verified on
            images = data.test.images[:count]
            (scores, probabilities), words = read(out / file_name, images)
            with torch.inference_mode():
                expected = net(images)
            torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
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
    monkeypatch.setitem(exporting.FORMATS, "pt2", (spoilt(change), exporting.read_torch))
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
            probabilities = scores.sigmoid()
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


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_the_card_has_the_records_figures_and_code_that_runs(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    run, out = finished_run(tmp_path / "mlp-seed0", "mlp"), tmp_path / "out"
    (file,) = export(run, out, [ending], data)
    text = (out / f"mlp-seed0.{ending}.md").read_text()
    lines = text.splitlines()
    assert "`mlp`: 784 pixels -> 100 ReLU -> 10 sigmoids. Trained to read MNIST by" in text
    assert "| training | 60,000 | 123 | 99.80 % | 0.0123 |" in lines  # 59,877 of 60,000
    assert "| test | 10,000 | 55 | 99.45 % | 0.0555 |" in lines
    assert not [line for line in lines if line.startswith("| held-out")]
    assert "| errors | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |" in lines
    assert "Its source claims test accuracy 99.05 % (a paper, section 5)." in lines
    assert "they need not sum to 1" in text
    assert "What the paper leaves open." in text
    assert file.sha256 in text

    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    images, names = data.test.images[:4], dict[str, Any]()
    monkeypatch.chdir(out)
    __import__("numpy").save("images.npy", images.numpy())
    exec(code, names)
    assert list(names["digits"]) == mnist_arch.load(run)(images).argmax(1).tolist()
    assert names["words"]["architecture"] == "mlp"
    for name, word in names["words"].items():
        assert f"| {name} | {word} |" in lines


def test_a_run_that_never_read_the_test_digits_has_a_card_without_them(
    tmp_path: Path, data: Dataset
) -> None:
    unread = dict.fromkeys(("test_images", "test_errors", "test_loss", "test_errors_by_digit"))
    held_out = {"validation_images": 6_000, "validation_errors": 60, "validation_loss": 0.05}
    run = finished_run(tmp_path / "run", "dense", **unread, **held_out, claim=None)
    export(run, tmp_path, ["pt2"], data)
    text = (tmp_path / "run.pt2.md").read_text()
    assert "| held-out | 6,000 | 60 | 99.00 % | 0.0500 |" in text
    assert "| test" not in text
    assert "claims" not in text


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


def test_the_command_keeps_files_and_a_record_of_them(command: Command, tmp_path: Path) -> None:
    finished_run(tmp_path / "dense-seed0", "dense")
    words = ["--format", "pt2", "--data", "mnist_5k", "--record", "sizes.json"]
    done = command("experiments.export", "dense-seed0", *words)
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = card.read(tmp_path / "sizes.json")
    assert file.size == (tmp_path / "exports/dense-seed0.pt2").stat().st_size
    lines = done.stdout.splitlines()
    verified = "verified on 1,000 training digits of MNIST-5k"
    assert lines[0] == f"exports/dense-seed0.pt2: {verified}"
    row = [file.name, f"{file.size:,}", f"{file.probabilities:.1e}", f"{file.scores:.1e}"]
    assert lines[-1].split() == row


def test_the_command_refuses_what_it_cannot_export_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "elsewhere/a"):
        finished_run(tmp_path / name, "dense")
    monkeypatch.chdir(tmp_path)
    for runs, message in (
        (["a", "elsewhere/a"], "two of the runs have the same name"),
        (["a", "nowhere"], r"nowhere/record\.json: not a readable record"),
    ):
        monkeypatch.setattr(sys, "argv", ["experiments.export", *runs, "--data", "mnist_5k"])
        with pytest.raises(UserError, match=message):
            main()
    assert not (tmp_path / "exports").exists()
