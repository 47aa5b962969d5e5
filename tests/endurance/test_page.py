"""docs/endurance.md says what the records say, and names tests that there are."""

import ast
from pathlib import Path

from tests.endurance.faults import FAULTS
from tests.endurance.page import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_records() -> None:
    assert (ROOT / "docs/endurance.md").read_text() == page(ROOT / "results/endurance")


def test_every_fault_is_held_by_tests_that_there_are() -> None:
    for tests in FAULTS.values():
        assert tests
        for file, _, name in (each.partition("::") for each in tests):
            tree = ast.parse((ROOT / "tests" / file).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
