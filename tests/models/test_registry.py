"""Networks are found by their files."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mnist_arch
from mnist_arch import models
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.lenet5 import LeNet5

ONE = "from mnist_arch.models.network import Network\n\nclass One(Network): pass\n"


@pytest.fixture
def add(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Add a module to the package, in a folder of its own."""
    before = {*sys.modules}
    models.__path__.append(str(tmp_path))
    yield lambda name, text: (tmp_path / f"{name}.py").write_text(text) and None
    models.__path__.remove(str(tmp_path))
    for name in {*sys.modules} - before:
        del sys.modules[name]


def test_names_are_those_of_the_files_in_alphabetical_order() -> None:
    files = Path(models.__file__).parent.glob("[!_]*.py")
    assert list(ARCHITECTURES) == sorted({path.stem for path in files} - models.SHARED)
    assert len(ARCHITECTURES) == 9


def test_a_name_leads_to_the_class_that_its_file_defines() -> None:
    assert ARCHITECTURES["lenet5"] is LeNet5
    assert {network.__module__ for network in ARCHITECTURES.values()} == {
        f"mnist_arch.models.{name}" for name in ARCHITECTURES
    }


@pytest.mark.parametrize("name", ["lenet", "layers", "__init__", ""])
def test_what_is_no_network_is_not_there(name: str) -> None:
    assert name not in ARCHITECTURES
    assert ARCHITECTURES.get(name) is None
    with pytest.raises(UserError, match="no architecture"):
        mnist_arch.build(name)


def test_a_new_file_is_a_new_network(add: Callable[[str, str], None]) -> None:
    add("one", ONE)
    assert "one" in ARCHITECTURES
    assert ARCHITECTURES["one"].__name__ == "One"


@pytest.mark.parametrize(
    ("text", "number"),
    [("", "none"), (f"{ONE}class Two(One): pass", "One and Two"), ("from math import pi", "none")],
)
def test_a_file_must_define_exactly_one_network(
    add: Callable[[str, str], None], text: str, number: str
) -> None:
    add("some", text)
    with pytest.raises(UserError, match=rf"some\.py: must define one .* Network, not {number}$"):
        mnist_arch.build("some")


def test_what_a_file_imports_is_not_its_network(add: Callable[[str, str], None]) -> None:
    add("one", ONE)
    add("two", "from mnist_arch.models.one import One\n\nclass Two(One): pass\n")
    assert ARCHITECTURES["two"].__name__ == "Two"


@pytest.mark.parametrize(
    ("name", "activation"), [("relu", F.relu), ("sigmoid", F.sigmoid), ("tanh", F.tanh)]
)
def test_lenet5_squashes_by_what_it_is_told(name: str, activation: Callable[..., Tensor]) -> None:
    net, images = mnist_arch.build("lenet5", {"activation": name}), torch.rand(3, 1, 28, 28) * 255
    assert isinstance(net, LeNet5)
    maps = F.avg_pool2d(activation(net.c1(F.pad(images, [2] * 4) / 255)), 2)
    maps = F.avg_pool2d(activation(net.c3(maps)), 2)
    scores = net.output(activation(net.f6(activation(net.c5(maps)).flatten(1))))
    torch.testing.assert_close(net(images), scores)


def test_dropout_cnn_drops_at_the_rates_that_it_is_told() -> None:
    net = mnist_arch.build("dropout_cnn", {"rates": [0.1, 0.3]})
    rates = [module.p for module in net.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.1, 0.3]


def test_the_readings_of_regularized_cnn() -> None:
    """Without regularisation training is evaluation; batch norm has a gamma and a beta a unit."""
    plain = mnist_arch.build("regularized_cnn", {"regularization": "none"})
    images = torch.rand(2, 1, 28, 28) * 255
    torch.testing.assert_close(plain.train()(images), plain.eval()(images), rtol=0, atol=0)
    norm = mnist_arch.build("regularized_cnn", {"regularization": "batch_norm"})
    assert (plain.parameter_count, norm.parameter_count) == (453_908, 453_908 + 2 * 30)
    sums = []
    norm.dense.register_forward_hook(lambda *each: sums.append(each[-1]))
    units = []
    norm.output.register_forward_pre_hook(lambda _, inputs: units.append(inputs[0]))
    norm.train()(images)
    middle = (sums[0] - sums[0].mean(0)) / (sums[0].var(0, correction=0) + 1e-3).sqrt()
    torch.testing.assert_close(units[0], middle.relu(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("lenet5", {"activaton": "relu"}, "no setting 'model.activaton' of lenet5; did you mean"),
        ("lenet5", {"activation": "rely"}, "model.activation=rely: did you mean relu?"),
        ("lenet5", {"activation": None}, "model.activation=None"),
        ("mlp", {"units": 100}, "no setting 'model.units' of mlp; it has none"),
        ("dropout_cnn", {"rates": [0.2, 1.5]}, "model.rates="),
        ("dropout_cnn", {"rates": 0.2}, "model.rates=0.2"),
        ("regularized_cnn", {"regularization": "l2"}, "model.regularization=l2: valid are"),
    ],
)
def test_an_impossible_argument_is_one_line(
    name: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}[^\n]*$"):
        mnist_arch.build(name, arguments)
