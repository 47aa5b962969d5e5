"""The tests by this Python and the libraries that it has, warnings being errors.

    python -m tests.endurance.versions tests/models tests/runs
    .venv-oldest/bin/python -m tests.endurance.versions -p no:cacheprovider tests/models

What came of them is kept for each version of Python and of torch; Ctrl-C keeps what came so far,
as broken off.
"""

import platform
import sys
from collections import Counter
from importlib.metadata import version

import pytest

from tests.endurance.kept import keep, read


class Tally:
    """Counts outcomes, as a plugin of pytest."""

    def __init__(self) -> None:
        self.outcomes = Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1


def main(words: list[str]) -> int:
    tally = Tally()
    code = int(pytest.main(["-q", *words], [tally]))
    thing = f"{platform.python_version()}, torch {version('torch')}"
    found = {
        "tests": [word for word in words if word.startswith("tests/")],
        "outcomes": tally.outcomes,
        "broken off": code == pytest.ExitCode.INTERRUPTED,
    }
    command = "python -m tests.endurance.versions"
    keep("versions", thing, found, command, sorted({*read("versions"), thing}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
