"""A network that the package does not know: a file and a recipe, and everything works with it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import mnist_arch
from experiments import report, robustness
from mnist_arch import models
from mnist_arch.analysis.comparison import compare
from mnist_arch.analysis.corruptions import SWEEPS
from mnist_arch.analysis.robustness import averaged, measure, read_all
from mnist_arch.data import sources
from mnist_arch.inference.export import export
from mnist_arch.inference.predictor import load
from mnist_arch.inference.preprocess import prepare
from mnist_arch.page.nets import first_seeds, load_nets, maps
from mnist_arch.reports import card, comparison
from mnist_arch.runs import records

# torch.export itself still uses what a later Python or torch will take away.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NETWORK = '''
from torch import Tensor, nn

from mnist_arch.models.heads import Softmax
from mnist_arch.models.layers import BatchNorm, Pixels
from mnist_arch.models.network import Network


class ToyNet(Network):
    """Three 8x8 kernels and a batch norm; 961 parameters."""

    title = "Toy"
    head = Softmax()

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=0, ink=1)
        self.conv = nn.Conv2d(1, 3, 8, stride=5)
        self.norm = BatchNorm(3)
        self.output = nn.Linear(3 * 5 * 5, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.norm(self.conv(self.pixels(images)).relu()).flatten(1))
'''
RECIPE = """
defaults:
  - dense

max_epochs: 1
optimizer:
  lr: 0.01
"""
PROGRAM = """
import mnist_arch.models

mnist_arch.models.__path__.append("networks")

from experiments.command import run_command
from experiments.run import main

run_command(main)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a user keeps the network, its recipe, and the runs of it and of `dense`."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in {
        "networks/toy_net.py": NETWORK,
        "settings/recipe/toy_net.yaml": RECIPE,
        "train.py": PROGRAM,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    words = ["--config-dir=settings", "-m", "model=toy_net,dense", "recipe.max_epochs=1"]
    subprocess.run(
        [sys.executable, "-m", "train", *words, "data=mnist_5k"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(mnist_arch.__file__).parents[1])},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    models.__path__.append(str(folder / "networks"))
    yield folder
    models.__path__.pop()
    sys.modules.pop("mnist_arch.models.toy_net", None)


@pytest.fixture
def runs(folder: Path) -> list[Path]:
    """The two runs: the toy's, which is the smaller network, first."""
    record_files = (folder / "runs").glob("*/record.json")
    return sorted((path.parent for path in record_files), key=lambda run: run.name[0] != "t")


def test_its_name_is_known_and_its_size_is_counted(folder: Path) -> None:
    assert folder.exists()
    assert "toy_net" in mnist_arch.architectures()
    assert mnist_arch.build("toy_net").parameter_count == 3 * 64 + 3 + 2 * 3 + 75 * 10 + 10 == 961


def test_its_run_is_recorded_and_drawn(runs: list[Path]) -> None:
    record = records.read(runs[0])
    assert (record.architecture, record.recipe, record.parameters) == ("toy_net", "toy_net", 961)
    data = sources.load("mnist_5k", Path("unused"))
    wrong = mnist_arch.load(runs[0])(data.test.images).argmax(1) != data.test.labels
    assert record.score("test", "errors") == int(wrong.sum()) < 250
    pictures = {path.stem for path in (runs[0] / "figures").iterdir()}
    assert pictures >= {"confusion", "errors_by_epoch", "feature_maps", "filters"}


def test_the_modern_recipe_takes_it_too(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "train", "model=toy_net", "recipe=modern", "--cfg", "job"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(mnist_arch.__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "lr: 0.002" in done.stdout
    assert "augmentation: null" in done.stdout


def test_it_stands_in_tables_by_its_size(folder: Path) -> None:
    rows = report.tables(folder / "runs")["results"].rows
    assert [row[0] for row in rows] == ["toy_net", "dense"]


def test_it_is_compared_with_another(runs: list[Path]) -> None:
    compared = compare(runs)
    for page in (comparison.text(compared), comparison.html(compared, None)):
        assert "toy_net" in page


def test_its_robustness_is_measured_and_drawn_beside_nine_others(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_arch.analysis.robustness.CORRUPTIONS", {"shift": SWEEPS["shift"]})
    measure(runs, tmp_path, Path("unused"))
    tested = averaged(read_all(tmp_path), "mnist_5k")
    assert [(net.architecture, net.is_convolutional) for net in tested] == [
        ("toy_net", True),
        ("dense", False),
    ]
    all_ten = [replace(tested[0], architecture=name) for name in mnist_arch.architectures()]
    assert len(all_ten) == 10
    for figure in robustness.figures(all_ten).values():
        (legend,) = figure.legends
        looks = {(line.get_color(), line.get_marker()) for line in legend.get_lines()}
        assert len(looks) == 10


def test_it_is_exported(runs: list[Path], tmp_path: Path) -> None:
    data = sources.load("mnist_5k", Path("unused"))
    (exported,) = export(runs[0], tmp_path, ["pt2"], data)
    assert exported.name == f"{runs[0].name}.pt2"
    page = card.model_card(exported, runs[0])
    assert "`toy_net`: Three 8x8 kernels and a batch norm." in page


def test_it_is_on_the_page(folder: Path, runs: list[Path]) -> None:
    assert first_seeds(folder / "runs") == runs
    net = load_nets(runs)[0]
    assert net.title == "Toy (on MNIST-5k)"
    image = sources.load("mnist_5k", Path("unused")).test.images[0, 0]
    layers = maps(net, prepare(image.numpy()))
    assert [layer["name"] for layer in layers] == ["pixels", "conv", "output"]


def test_it_is_loaded_and_predicts(runs: list[Path]) -> None:
    image = sources.load("mnist_5k", Path("unused")).test.images[0]
    answer = load(runs[0]).predict(image)
    assert answer.digit in range(10)
    assert torch.tensor(answer.probabilities).sum() == pytest.approx(1)
