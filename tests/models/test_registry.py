"""Networks are found by their files."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
