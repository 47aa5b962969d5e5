"""Real processes of `experiments.run`, killed at seeded moments and started again until they end.

What they leave is compared with what the same command leaves that nothing happened to: weights,
history, scores, predictions and TensorBoard's steps, bit for bit.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_arch.runs import records

COMMON = ["data=mnist_5k", "trainer.threads=1"]
EPOCHS = "recipe.max_epochs=3"
OFTEN = "trainer.save_every=0.01"  # after nearly every chunk
LONGEST = 1800  # seconds that a process may take, on a machine that does other things, too


@dataclass(frozen=True)
class Kind:
    """What is trained, by the words of `experiments.run`."""

    name: str
    words: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        epochs = (
            [] if any(word.startswith("recipe.max_epochs=") for word in self.words) else [EPOCHS]
        )
        return [sys.executable, "-m", "experiments.run", *self.words, *COMMON, *epochs]


@contextmanager
def started(kind: Kind, folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, all of which is killed in the end."""
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [*kind.command, *words],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MNIST_ARCH_DATA": str(folder / "cache")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            yield process
        finally:
            kill_all(process)


def kill_all(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to a process and its children; returns the exit code."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    code = process.wait(LONGEST)
    with suppress(ProcessLookupError):  # of workers that have outlived it
        os.killpg(process.pid, signal.SIGKILL)
    return code


class Straight:
    """Uninterrupted: the runs' folders by name, their means, and the seconds of a start."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        folder.mkdir(parents=True)
        begun = time.monotonic()
        with started(kind, folder) as process:
            while not any((folder / "runs").glob("*/config.yaml")):
                if process.poll() is not None:
                    break
                time.sleep(0.01)
            self.start_up = time.monotonic() - begun
            if process.wait(LONGEST):
                raise AssertionError((folder / "output.txt").read_text(errors="replace"))
        self.runs = {each.parent.name: each.parent for each in _records(folder)}
        self.means = [*(folder / "runs").glob("*-mean")]


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Attributes:
        name: What it is doing then.
        comes: Given the folders of its runs, returns what tells whether the moment has come.
        most: Seconds, up to which a random time is waited afterwards.
        sent: What it is sent.
    """

    name: str
    comes: Callable[[Sequence[Path], random.Random], Callable[[], bool]]
    most: float = 0.0
    sent: signal.Signals = signal.SIGKILL


def _writing(name: str) -> Callable[[Sequence[Path], random.Random], Callable[[], bool]]:
    def comes(runs: Sequence[Path], _: random.Random) -> Callable[[], bool]:
        paths = [run / f"{name}.part" for run in runs]
        before = {_stamp(path) for path in paths}  # one may be left of a kill
        return lambda: any(each not in before and each[1] for each in map(_stamp, paths))

    return comes


def _growing(pattern: str) -> Callable[[Sequence[Path], random.Random], Callable[[], bool]]:
    """After some of the writes to a file that grows, among all in the folder of runs."""

    def comes(runs: Sequence[Path], draws: random.Random) -> Callable[[], bool]:
        def sizes() -> set[tuple[str, int]]:
            paths = runs[0].parent.glob(pattern)
            return {(str(path), path.stat().st_size) for path in paths if path.exists()}

        wanted, before = draws.randint(1, 3), sizes()
        seen = set(before)

        def come() -> bool:
            seen.update(sizes())
            return len(seen) - len(before) >= wanted

        return come

    return comes


def _said(words: str) -> Callable[[Sequence[Path], random.Random], Callable[[], bool]]:
    def comes(runs: Sequence[Path], _: random.Random) -> Callable[[], bool]:
        output = runs[0].parents[1] / "output.txt"
        before = output.read_text(errors="replace").count(words) if output.exists() else 0
        return lambda: output.read_text(errors="replace").count(words) > before

    return comes


def _saved(runs: Sequence[Path], draws: random.Random) -> Callable[[], bool]:
    """After some of the checkpoints that a process writes."""
    paths = [run / "checkpoints/last.ckpt" for run in runs]
    wanted = draws.randint(1, 6)
    seen = {_stamp(path) for path in paths}
    first = len(seen)

    def come() -> bool:
        seen.update(map(_stamp, paths))
        return len(seen) - first >= wanted

    return come


def _stamp(path: Path) -> tuple[str, int]:
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError:
        return str(path), 0


START = Moment("starting", lambda _, __: lambda: True)  # waits up to what a start takes
WITHIN = Moment("within an epoch", _saved, most=0.2)
LAST = Moment("writing last.ckpt", _writing("checkpoints/last.ckpt"))
BEST = Moment("writing best.ckpt", _writing("checkpoints/best.ckpt"))
CONFIG = Moment("writing config.yaml", _writing("config.yaml"))
PREDICTIONS = Moment("writing predictions.npz", _writing("predictions.npz"))
RECORD = Moment("writing record.json", _writing("record.json"))
SCORING = Moment("scoring", _said("epoch 3/3"), most=0.1)
FIGURES = Moment("drawing figures", _writing("figures"), most=1.0)
EVENTS = Moment("writing TensorBoard's events", _growing("*/events.out.tfevents.*"))
MEANS = Moment("writing means of runs", _growing("*-mean/*"))
TERMINATED = Moment("SIGTERM within an epoch", _saved, most=0.2, sent=signal.SIGTERM)
INTERRUPTED = Moment("SIGINT within an epoch", _saved, most=0.2, sent=signal.SIGINT)

AFTER = (FIGURES, MEANS)  # the record
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


def killed(
    kind: Kind, straight: Straight, folder: Path, moment: Moment, draws: random.Random
) -> bool:
    """Start a process and kill it at a moment; returns whether that came before its end."""
    runs = [folder / "runs" / name for name in straight.runs]
    comes, most = moment.comes(runs, draws), moment.most
    if moment is START:
        most = straight.start_up
    wait, ends = draws.uniform(0, most), time.monotonic() + LONGEST
    with started(kind, folder, OFTEN) as process:
        polls = 0
        while not comes():
            polls += 1
            if polls % 100 == 0 and process.poll() is not None:
                if process.returncode:
                    raise AssertionError((folder / "output.txt").read_text(errors="replace"))
                return False
            if time.monotonic() > ends:
                raise AssertionError(f"{kind.name}: {moment.name} never came, nor did the end")
            time.sleep(0.00005)
        time.sleep(wait)
        code = kill_all(process, moment.sent)
        if moment.sent in CODES and code not in (CODES[moment.sent], 0):
            output = (folder / "output.txt").read_text(errors="replace")
            raise AssertionError(f"{kind.name}: exit code {code} of {moment.name}\n{output}")
        return code != 0


def finished(straight: Straight, folder: Path) -> bool:
    """Whether all runs that the command makes have their records."""
    return {each.parent.name for each in _records(folder)} >= straight.runs.keys()


def endure(
    kind: Kind,
    straight: Straight,
    folder: Path,
    moments: Sequence[Moment],
    seed: int,
    rounds: int = 3,
) -> list[str]:
    """Kill a command at each of some moments, let it end, and compare; returns where it died.

    What ends before some of its moments is made again, three times at most, and killed at these.

    Raises:
        AssertionError: It fails, or leaves something else than what nothing happened to.
    """
    draws = random.Random(seed)
    died, left = list[str](), list(moments)
    for number in range(rounds):
        here = folder / str(number)
        here.mkdir(parents=True)
        missed = list[Moment]()
        for moment in left:
            if finished(straight, here) and moment not in AFTER:
                missed.append(moment)
            elif killed(kind, straight, here, moment, draws):
                died.append(moment.name)
            else:
                missed.append(moment)
        if not finished(straight, here) or {*left} & {*AFTER}:
            with started(kind, here, OFTEN) as process:
                if process.wait(LONGEST):
                    raise AssertionError((here / "output.txt").read_text(errors="replace"))
        found = {each.parent.name: each.parent for each in _records(here)}
        assert found.keys() == straight.runs.keys(), f"{kind.name}: {sorted(found)}"
        for name, run in found.items():
            compare(run, straight.runs[name])
        for mean in straight.means:
            assert scalars(here / "runs" / mean.name) == scalars(mean), f"{here}: other means"
        left = missed
        if not left:
            break
    return died


def compare(run: Path, straight: Path) -> None:
    """Compare two finished runs.

    Raises:
        AssertionError: They differ in what they found, or something is left of an attempt.
    """
    ours, theirs = records.read(run), records.read(straight)
    for name in ("weights_sha256", "history", "scores", "confusion", "misclassified"):
        assert getattr(ours, name) == getattr(theirs, name), f"{run}: another {name}"
    assert (ours.epochs, ours.kept_epoch) == (theirs.epochs, theirs.kept_epoch), run
    with np.load(run / "predictions.npz") as one, np.load(straight / "predictions.npz") as other:
        for name in other:
            assert np.array_equal(one[name], other[name]), f"{run}: other predictions ({name})"
    assert scalars(run) == scalars(straight), f"{run}: other steps for TensorBoard"
    assert pictures(run) == pictures(straight), f"{run}: other figures"
    left = [*run.rglob("*.part"), *run.rglob("previous.ckpt")]
    assert not left, left


def pictures(run: Path) -> dict[str, bytes]:
    """Read the figures of a run, none of one that draws none."""
    return {path.name: path.read_bytes() for path in (run / "figures").glob("*")}


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Read what TensorBoard shows as curves: for each tag its steps and values."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    return {
        tag: [(each.step, each.value) for each in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def _records(folder: Path) -> list[Path]:
    return sorted((folder / "runs").glob("*/record.json"))
