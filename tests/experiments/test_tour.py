"""`python -m experiments.tour`: the page, its notebook and its pictures."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from mnist_arch.data import sources
from tests.reports.test_results import RESULTS

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_it_writes_the_published_files_elsewhere_unless_asked(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "results").symlink_to(RESULTS)
    (tmp_path / "docs").mkdir()  # which hold published pages
    done = command("experiments.tour", "--root", str(sources.default_root()))
    assert done.returncode == 0, done.stderr
    published = RESULTS.parent / "docs"
    files = {path.relative_to(tmp_path / "tour") for path in (tmp_path / "tour").rglob("*.*")}
    assert {f"tour/{file}" for file in files} == set(done.stdout.splitlines())
    pictures = {path.relative_to(published) for path in (published / "learn").iterdir()}
    assert files == pictures | {Path("learn.md"), Path("learn.ipynb")}
    for name in ("learn.md", "learn.ipynb"):
        assert (tmp_path / "tour" / name).read_bytes() == (published / name).read_bytes()
    assert not [*(tmp_path / "docs").iterdir()]


def test_elsewhere_it_says_where_to_call_it(command: Command, tmp_path: Path) -> None:
    done = command("experiments.tour")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr == "error: there is no results/ here: call it in the project's folder\n"
    (tmp_path / "page.md").touch()
    done = command("experiments.tour", "--out", "page.md")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
