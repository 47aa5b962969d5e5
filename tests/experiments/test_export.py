"""The command that exports trained networks, as a user types it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.export import main
from mnist_arch.errors import UserError
from mnist_arch.reports import card
from tests.factories import finished_run

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_keeps_files_and_a_record_of_them(command: Command, tmp_path: Path) -> None:
    finished_run(tmp_path / "dense-seed0", "dense")
    words = ["--format", "pt2", "--data", "mnist_5k", "--record", "sizes.json"]
    done = command("experiments.export", "dense-seed0", *words)
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = card.read(tmp_path / "sizes.json")
    assert file.size == (tmp_path / "exports/dense-seed0.pt2").stat().st_size
    assert {path.name for path in (tmp_path / "exports").iterdir()} == {
        file.name,
        f"{file.name}.md",
    }
    assert done.stdout.startswith("exports/dense-seed0.pt2: verified on 1,000 training images")
    assert done.stdout.endswith(f"\n\n{card.table([file]).text()}\n")


def test_the_command_refuses_what_it_cannot_export_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("a", "elsewhere/a")):
        finished_run(tmp_path / name, "dense", seed=seed)
    monkeypatch.chdir(tmp_path)
    for runs, message in (
        (["a", "elsewhere/a"], "two of the runs have the same name"),
        (["a", "nowhere"], "nowhere: no such run folder or record file"),
    ):
        monkeypatch.setattr(sys, "argv", ["experiments.export", *runs, "--data", "mnist_5k"])
        with pytest.raises(UserError, match=message):
            main()
    assert not (tmp_path / "exports").exists()
