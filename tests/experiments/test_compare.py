"""The command that compares trained networks, as a user types it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from mnist_arch.analysis.comparison import compare
from mnist_arch.reports import comparison as report
from tests.analysis.test_comparison import run, seeds

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_runs_named_by_a_glob_are_compared_and_both_pages_written(
    command: Command, tmp_path: Path
) -> None:
    seeds(tmp_path / "runs/own", [range(20), range(21), range(22)])
    seeds(tmp_path / "runs/new", [[0], [0, 1], [0]], recipe="modern")
    pages = ("--markdown", "page.md", "--html", "page.html")
    done = command("experiments.compare", "runs/*/[0-9]", "runs/new/0/record.json", *pages)
    assert (done.returncode, done.stderr) == (0, "")
    compared = compare(sorted(tmp_path.glob("runs/*/[0-9]")))
    assert done.stdout == f"{report.text(compared)}\npage.md\npage.html\n"
    assert (tmp_path / "page.md").read_text() == report.markdown(compared)
    assert "No pictures: no IDX files in" in (tmp_path / "page.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "page.md", "page.html"}


def test_a_mistake_is_one_line_before_anything_is_written(
    command: Command, tmp_path: Path
) -> None:
    run(tmp_path / "one", [1])
    run(tmp_path / "other", [1], recipe="modern", provenance={"data_sha256": {"t10k": "b"}})
    done = command("experiments.compare", "one", "other", "--html", "page.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: other/record.json: not tested on the images of one/record.json\n"
    )
    done = command("experiments.compare", "one", "--html", "nowhere/page.html")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere/page.html: there is no folder nowhere\n"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "other"}
