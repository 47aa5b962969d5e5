"""`mnist-arch NAME` is `python -m experiments.NAME`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import experiments

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_command_says_the_same_under_both_names(command: Command) -> None:
    short, long = (
        command(*words, "--cfg", "job", "seed=7")
        for words in (("experiments", "run"), ("experiments.run",))
    )
    assert "seed: 7" in short.stdout
    assert (short.returncode, short.stdout) == (long.returncode, long.stdout)


def test_every_command_is_listed(command: Command) -> None:
    lines = command("experiments").stdout.splitlines()[2:]
    runnable = {
        path.stem
        for path in Path(experiments.__path__[0]).glob("[a-z]*.py")
        if path.read_text().endswith(("run_command(main)\n", "run_command(command_line)\n"))
    }
    assert {line.split()[0] for line in lines} == runnable
    assert all(len(line.split()) > 1 for line in lines)


def test_an_unknown_command_is_answered_with_the_nearest(command: Command) -> None:
    done = command("experiments", "rnu")
    assert (done.returncode, done.stderr) == (2, "error: no command 'rnu'; did you mean run?\n")
