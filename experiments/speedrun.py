"""How many seconds does a network of ours take from nothing to 99 % of the test images?

    python -m experiments.speedrun
    python -m experiments.speedrun --peer "another=python another.py" --peer-seeds 3

Every program runs by itself, one seed after the other, and its accuracy is the mean over its
seeds. Beside the seconds from the first step to the end of training stand those from the start of
the process, which has yet to import and to read the images. Ours is experiment=speedrun.

A peer is a command to which a seed is added. Each time that it has classified the test images it
prints a line of JSON: "started", the Unix time of its first step, and, of its training so far,
"epochs", "seconds" and "accuracy" (percent). What counts is the first line of which the mean
reaches 99 %.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import mnist_arch
from experiments.command import Parser, run_command
from experiments.startup import import_lightning
from mnist_arch.errors import UserError
from mnist_arch.progress import progress
from mnist_arch.reports.speedrun import SPEEDRUN
from mnist_arch.reports.table import Table
from mnist_arch.runs.config import compose, several_seeds

TARGET = 99.0  # percent
OURS = "speedrun"


class Point(NamedTuple):
    """Where a program was when it classified the test images.

    Attributes:
        epochs: That it had trained.
        seconds: Of training, from the first step.
        whole: Seconds from the start of the process, without classifying the test images.
        accuracy: In percent.
    """

    epochs: float
    seconds: float
    whole: float
    accuracy: float


class Row(NamedTuple):
    """A program and the means over its runs where they reach the target, or else at their end."""

    program: str
    runs: int
    epochs: float
    accuracy: float
    least: float
    seconds: float
    whole: float

    @property
    def reached(self) -> bool:
        """Whether the mean accuracy is what it should be."""
        return self.accuracy >= TARGET


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("settings", nargs="*", help="of ours, as for experiments.run")
    parser.add_argument("--seeds", default="0..9", metavar="N..N", help="or N,N,... (0..9)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--peer-seeds", default="0..2", metavar="N..N", help="(0..2)")
    parser.add_argument("--threads", type=int, default=None, help="of each program")
    parser.add_argument("--seed", type=int, help="be the program: one run, and its line")
    args = parser.parse_args()
    if args.seed is not None:
        print(json.dumps(run(args.seed, args.settings)))
        return
    own, others = several_seeds(args.seeds), several_seeds(args.peer_seeds, "--peer-seeds ")
    rows = speedrun(own, peers(args.peer), others, args.threads, args.settings)
    print(Table(SPEEDRUN, rows).markdown())


def peers(words: Sequence[str]) -> dict[str, str]:
    """Parse NAME=COMMAND.

    Raises:
        UserError: One is not of that form, or a name comes twice.
    """
    commands = dict(each.split("=", 1) for each in words if "=" in each)
    if len(commands) < len(words):
        raise UserError("--peer needs NAME=COMMAND, each with a name of its own")
    return commands


def speedrun(
    seeds: Sequence[int],
    peers: Mapping[str, str],
    peer_seeds: Sequence[int],
    threads: int | None = None,
    settings: Sequence[str] = (),
) -> list[Row]:
    """Time ours and its peers.

    Args:
        seeds: Of ours; none leaves ours out.
        peers: A command for each name.
        peer_seeds: Of each peer.
        threads: Of each program; None leaves them to torch.
        settings: Of ours.

    Raises:
        UserError: A program failed.
    """
    own = [sys.executable, "-m", "experiments.speedrun", *settings, "--seed"]
    programs = [(OURS, own, seeds)]
    programs += [(name, shlex.split(command), peer_seeds) for name, command in peers.items()]
    return [
        row(name, [points([*words, str(seed)], threads) for seed in progress(each, name)])
        for name, words, each in programs
        if each
    ]


def points(command: Sequence[str], threads: int | None) -> list[Point]:
    """Run a program and return what it printed of itself.

    Raises:
        UserError: It failed, or printed nothing.
    """
    limit = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | limit)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it printed no line of JSON"])[-1]
        raise UserError(f"{shlex.join(command)}: exit code {done.returncode}: {last}")
    return [
        Point(
            each["epochs"],
            each["seconds"],
            each["started"] - begun + each["seconds"],
            each["accuracy"],
        )
        for each in lines
    ]


def row(program: str, runs: Sequence[Sequence[Point]]) -> Row:
    """Average the runs where their mean accuracy first reaches the target, or at their end."""
    stages = list(zip(*runs, strict=True))
    means = [Point(*map(statistics.mean, zip(*stage, strict=True))) for stage in stages]
    reached = [number for number, mean in enumerate(means) if mean.accuracy >= TARGET]
    number = reached[0] if reached else -1
    mean, least = means[number], min(each.accuracy for each in stages[number])
    return Row(program, len(runs), mean.epochs, mean.accuracy, least, mean.seconds, mean.whole)


def run(seed: int, settings: Sequence[str] = ()) -> dict[str, float]:
    """Train once by experiment=speedrun; returns the line that a program prints."""
    import_lightning()
    from pytorch_lightning.callbacks import LambdaCallback

    times: list[float] = []

    def note(*_: object) -> None:
        times.append(time.time())

    clock = LambdaCallback(on_train_start=note, on_train_end=note)
    with tempfile.TemporaryDirectory() as folder:
        words = [f"experiment={OURS}", f"seed={seed}", f"runs={folder}", "figures=false"]
        config = compose([*words, *settings])
        record = mnist_arch.train(config, callbacks=[clock]).record
    accuracy = record.score("test", "accuracy")
    assert accuracy is not None
    started, ended = times
    return {
        "started": started,
        "epochs": record.epochs,
        "seconds": ended - started,
        "accuracy": accuracy,
    }


if __name__ == "__main__":
    run_command(main)
