"""The project's files agree with each other: versions, dependencies, what a wheel contains."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import mnist_arch
from tests.lower_bounds import PYPROJECT, pins, requirements

ROOT = PYPROJECT.parent


def normalized(name: str) -> str:
    """PEP 503's form of a distribution's name, under which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_the_same_everywhere() -> None:
    (cited,) = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert cited == newest == mnist_arch.__version__


def test_every_lower_bound_is_a_full_version_stated_once() -> None:
    for requirement in requirements():
        assert re.fullmatch(r"[\w-]+>=\d+\.\d+\.\d+", requirement)
    names = [normalized(pin.partition("==")[0]) for pin in pins()]
    assert len(names) == len(set(names)) == len(requirements())


def test_the_wheel_is_tested_with_the_build_backend_that_it_requires() -> None:
    assert set(tomllib.loads(PYPROJECT.read_text())["build-system"]["requires"]) <= set(
        requirements()
    )


def test_every_package_that_is_imported_is_required() -> None:
    required = {normalized(pin.partition("==")[0]) for pin in pins()}
    distributions = packages_distributions()
    ours = {"conf", "experiments", "mnist_arch"}
    for path in (path for folder in ours for path in (ROOT / folder).rglob("*.py")):
        for module in imported(path) - ours - {*sys.stdlib_module_names, "_typeshed"}:
            names = {normalized(name) for name in distributions.get(module, [module])}
            assert names & required, (path, module)


def imported(path: Path) -> set[str]:
    """Name the top-level packages that a file imports, wherever in it."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
    return {module.partition(".")[0] for module in modules}
