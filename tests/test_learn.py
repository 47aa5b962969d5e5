"""docs/learn.ipynb: every cell of it runs, and finds the numbers that it says."""

import ast
import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import mnist_arch
from mnist_arch.runs.config import compose

DOCS = Path(mnist_arch.__file__).parent.parent / "docs"
PAGE = (DOCS / "learn.md").read_text(encoding="utf-8")


def exercises() -> Iterator[str]:
    """Name the Python that is given in the sentences of the exercises, in their order."""
    for section in re.findall(r"\*\*Try\*\*(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE):
        text = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
        for code in re.findall(r"`([^`]+)`", text):
            if code.startswith("import ") or ("(" in code and not code.startswith(".")):
                yield code


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The notebook's cells as they are run in an empty folder, and then the exercises' lines."""
    notebook = nbformat.read(DOCS / "learn.ipynb", as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(line) for line in exercises()]
    folder = tmp_path_factory.mktemp("learn")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / "jupyter"))
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources)
        asyncio.run(client.async_execute())  # execute() leaves its event loop open
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def result(cell: Any) -> Any:
    """What the last line of a cell is, as Python writes it."""
    (value,) = (each for each in cell.outputs if each.output_type == "execute_result")
    return value.data


def test_each_network_misclassifies_as_many_test_digits_as_its_record_has(
    cells: list[Any],
) -> None:
    found = {}
    for cell in cells:
        if match := re.search(r"score\((\w+), data\.test\)\.errors  # (\d+)$", cell.source):
            assert result(cell)["text/plain"] == match[2]
            found[match[1]] = int(match[2])
    shipped = {each.name: each.record.scores["test"]["errors"] for each in mnist_arch.weights()}
    names = {"original": "lenet5_1998"}
    assert {names.get(name, name): errors for name, errors in found.items()} == {
        name: shipped[name] for name in ("dense", "mlp", "lenet5", "lenet5_1998")
    }


def test_pictures_appear_below_the_cells_that_make_them(cells: list[Any]) -> None:
    drawing = re.compile(r"^(digit_rows|evidence|filters|convolution|journey|codes)\(.*\)$")
    pictures = [cell for cell in cells if drawing.match(cell.source.splitlines()[-1])]
    assert len(pictures) == 9  # one of them in an exercise
    assert all("image/png" in result(cell) for cell in pictures)


def test_an_average_of_networks_misclassifies_fewer_than_they_do_on_average(
    cells: list[Any],
) -> None:
    (cell,) = (each for each in cells if "train_together" in each.source)
    each, together = ast.literal_eval(result(cell)["text/plain"])
    assert len(each) == 5
    assert together < sum(each) / 5


def test_the_distances_between_codes_are_there_to_see(cells: list[Any]) -> None:
    lines = [*exercises()]
    last = {cell.source: cell for cell in cells[-len(lines) :]}
    assert [*last] == lines
    between = result(last["(original.output.codes[:, None] != original.output.codes).sum(2)"])
    assert between["text/plain"].startswith("tensor([[ 0, ")  # from itself


def test_every_training_of_an_exercise_is_one_that_can_be_made_and_spares_the_test_digits() -> (
    None
):
    commands = re.findall(r"^python -m experiments\.run (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        words = [word for word in shlex.split(command) if word != "-m"]
        config = compose([word.partition(",")[0] for word in words])
        assert (config.test, config.recipe.validation) == (False, 0.1)
