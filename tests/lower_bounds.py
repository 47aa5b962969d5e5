"""Print every lower bound of pyproject.toml as a pin: pip's constraints of the oldest versions.

python -m tests.lower_bounds > constraints.txt
"""

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements() -> list[str]:
    """Every requirement of the package and its extras, but for those that name another extra."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [each for group in groups for each in group if not each.startswith(project["name"])]


def pins() -> list[str]:
    return [requirement.replace(">=", "==") for requirement in requirements()]


if __name__ == "__main__":
    print(*pins(), sep="\n")  # noqa: T201
