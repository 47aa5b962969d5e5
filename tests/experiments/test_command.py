"""What all commands share."""

import subprocess
import sys
from pathlib import Path


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


def test_a_full_disk_is_told_where_a_result_would_be_lost() -> None:
    program = "from experiments.command import run_command\nrun_command(lambda: print('99 %'))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: [Errno 28] No space left on device")


def test_a_full_disk_is_told_in_one_line_by_a_thread_too() -> None:
    """TensorBoard writes in one."""
    program = """
from threading import Thread
from experiments.command import run_command

def write():
    open("/dev/full", "wb", 0).write(b"a")

def fail():
    {}["a bug"]

def start(*targets):
    for target in targets:
        thread = Thread(target=target)
        thread.start()
        thread.join()

run_command(lambda: start(write, fail))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    told, rest = done.stderr.split("\n", 1)
    assert told == "[Errno 28] No space left on device"
    assert rest.startswith("Exception in thread")
    assert rest.endswith("KeyError: 'a bug'\n")


def test_a_name_that_is_no_text_is_written_all_the_same() -> None:
    """As the file system has it: a byte that is not UTF-8, escaped."""
    program = (
        "import os\nfrom experiments.command import run_command\n"
        "run_command(lambda: print(os.fsdecode(b'caf\\xe9.png')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"caf\\udce9.png\n"
