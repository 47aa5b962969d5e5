"""What all commands share."""

import subprocess
import sys


def test_a_reader_that_has_enough_ends_a_command_in_silence() -> None:
    program = (
        "from experiments.command import run_command\n"
        "run_command(lambda: [print('a line') for _ in range(100_000)])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == "a line\n"
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 141
