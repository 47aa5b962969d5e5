"""Write docs/endurance.md from what was found last.

python -m tests.endurance.page
"""

from collections import Counter
from pathlib import Path
from typing import Any

from mnist_arch import files
from mnist_arch.reports.table import Column, Table
from tests.endurance import kept
from tests.endurance.before import SECONDS as BEFORE_SECONDS
from tests.endurance.faults import FAULTS
from tests.endurance.hostile import FINE

PAGE = Path("docs/endurance.md")
TEXT = """# Endurance

After {equal} of {kills} kills a training ended as one that nothing had happened to, bit for bit:
weights, history, scores, predictions and TensorBoard's steps. Of {inputs:,} broken and hostile
files none was believed where a checksum could tell, ran code, or ended in a traceback.

Written by `python -m tests.endurance.page` from what the parts of `make endurance` found, not
all on one day, in [results/endurance](../results/endurance).

## Killed, and started again

Real processes of `experiments.run` on 5,000 digits, killed by SIGKILL (or asked to end, by SIGTERM
or Ctrl-C) at seeded moments, started again by the same command, and killed again.

{kinds}

{moments}

## Broken and hostile files

A file may be read as it was (what was broken does not matter), be read as it now says (nothing can
tell that it was changed), or be refused in one line with exit code 2. Whatever else comes of it is
a fault: a traceback, another answer from what a checksum covers, a minute without an end, more
than 1 GiB of memory, code that ran, a file half written.

{readers}

Before any of this was mended ({before_of}), the same ways to break files had
{before_faults} of {before_inputs:,} such ends; a minute was {before_seconds} seconds there, and
what that code cannot do is left out (`python -m tests.endurance.before`).

{before}

## Where a machine is against it

Commands, each in the environment that is named. The right result is that of an undisturbed run,
bit for bit; one line goes with exit code 2; nothing is left half-written.

{environments}

## The page under load

Clients ask again as soon as they have their answer, while one more uploads rubbish and another
sends a picture byte by byte. Wrong is what the networks do not answer when asked directly, the
growth of memory that since the first hundred requests, and a core's time that of one request.
Rubbish gets 200 where the one byte that was changed is none that a decoder needs: the answer is
that of the picture as it was, or counted as wrong.

{load}

Of {fuzzed} requests that atheris made in {fuzz_minutes:.0f} minutes, out of sound ones whose
bodies are pictures, {fuzz_findings} got another answer than one of the page's own, or an error of
several lines.

## Versions

Warnings are errors. Two builds of the wheel, at other times and places, have one sum
([tests/experiments/test_wheel.py](../tests/experiments/test_wheel.py)). What is known against the
versions installed is told by `pip install pip-audit && pip-audit`, where its advisories can be
reached; they could not be where this page was made.

{versions}

## What was wrong, and what holds it

{faults}
"""


def page(folder: Path = kept.FOLDER) -> str:
    """Make the page from a folder of records."""
    kinds = kept.read("kills", folder)
    readers = kept.read("hostile", folder)
    before = kept.read("before", folder)
    fuzz = kept.read("fuzz", folder)["the page"]
    at = sum((Counter(each["at"]) for each in kinds.values()), Counter[str]())
    faults = {name: _faults(each["outcomes"]) for name, each in readers.items()}
    inputs = sum(sum(each["outcomes"].values()) for each in readers.values())
    if sum(faults.values()):
        raise ValueError(f"faults: {faults}; the page says that there are none")
    return TEXT.format(
        equal=sum(each["equal"] for each in kinds.values()),
        kills=sum(each["kills"] for each in kinds.values()),
        inputs=inputs,
        kinds=Table(
            (Column("kind"), Column("`experiments.run`"), Column("kills"), Column("equal")),
            [
                (name, f"`{' '.join(each['words'])}`", each["kills"], each["equal"])
                for name, each in kinds.items()
            ],
        ).markdown(),
        moments=Table((Column("killed while"), Column("times")), sorted(at.items())).markdown(),
        readers=Table(
            (Column("reader"), *map(Column, FINE), Column("faults")),
            [
                (name, *(each["outcomes"].get(one, 0) for one in FINE), faults[name])
                for name, each in readers.items()
            ],
        ).markdown(),
        before=Table(
            (Column("reader, before"), *map(Column, FINE), Column("faults"), Column("of these")),
            [_before(name, each) for name, each in before.items()],
        ).markdown(),
        before_of=" and ".join(sorted({each["of"][:7] for each in before.values()})),
        before_seconds=BEFORE_SECONDS,
        before_inputs=sum(sum(each["outcomes"].values()) for each in before.values()),
        before_faults=sum(_faults(each["outcomes"]) for each in before.values()),
        environments=Table(
            (Column("environment"), Column("what came of it")),
            [
                (each["what"].rstrip("."), each["came"])
                for each in kept.read("environments", folder).values()
            ],
        ).markdown(),
        load=Table(
            (
                *map(Column, ("networks", "requests", "clients", "wrong")),
                *(Column("median, ms", "{:.0f}"), Column("99 % within, ms", "{:.0f}")),
                *(Column("a core's time, ms", "{:.1f}"), Column("memory, %", "{:+.1f}")),
                *map(Column, ("rubbish, by status", "processor", "day")),
            ),
            [_load(name, each) for name, each in kept.read("load", folder).items()],
        ).markdown(),
        fuzzed=f"{fuzz['requests']:,}",
        fuzz_minutes=fuzz["seconds"] / 60,
        fuzz_findings=fuzz["findings"] or "none",
        versions=Table(
            (Column("Python"), Column("libraries"), Column("tests"), Column("outcomes")),
            [_version(each) for each in kept.read("versions", folder).values()],
        ).markdown(),
        faults=Table(
            (Column("what was wrong"), Column("tests")),
            [(what, _tests(tests)) for what, tests in FAULTS.items()],
        ).markdown(),
    )


def _before(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    outcomes = found["outcomes"]
    if not outcomes:
        # The reasons are as long as they like, and some are of this machine's paths.
        return (name, *["—"] * (len(FINE) + 1), "not to be called then as now")
    kinds = Counter[str]()
    for what, count in outcomes.items():
        if what not in FINE:
            kinds[what.partition(":")[0] if "memory" not in what else "memory"] += count
    shown = ", ".join(f"{count} {what}" for what, count in sorted(kinds.items()))
    return (name, *(outcomes.get(one, 0) for one in FINE), sum(kinds.values()), shown)


def _tests(names: tuple[str, ...]) -> str:
    return ", ".join(
        f"[{name}](../tests/{file})" for file, _, name in (each.partition("::") for each in names)
    )


def _faults(outcomes: dict[str, int]) -> int:
    return sum(count for what, count in outcomes.items() if what not in FINE)


def _load(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    numbers = ("requests", "clients", "wrong", "median_ms", "99_percent_within_ms", "core_ms")
    return (
        name,
        *(found[each] for each in (*numbers, "growth_percent")),
        ", ".join(f"{count} {status}" for status, count in found["rubbish"].items()),
        *(f"{found['processor']}, {found['cores']} cores", found["date"]),
    )


def _version(found: dict[str, Any]) -> tuple[str, ...]:
    own = {name: each for name, each in found["versions"].items() if name != "python"}
    return (
        found["versions"]["python"],
        ", ".join(f"{name} {each}" for name, each in own.items()),
        ", ".join(f"`{each}`" for each in found["tests"]),
        ", ".join(f"{count} {what}" for what, count in sorted(found["outcomes"].items()))
        + (", then broken off" if found.get("broken off") else ""),
    )


if __name__ == "__main__":
    files.write(PAGE, page())
