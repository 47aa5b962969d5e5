"""How fast do we train, score and start, beside the best bare loop that we can write?

    python -m experiments.benchmark
    python -m experiments.benchmark dense lenet5 --rounds 3 --only training
    python -m experiments.benchmark --keras /path/to/a/python/with/tensorflow
    python -m experiments.benchmark --only recipes --out results/speed/recipes.json
    python -m experiments.benchmark --from-records        (writes docs/speed.md, measures nothing)

Every side trains the same network by its own recipe's optimiser and batch size, on random pixels:
ours as experiments.run does (shuffling, counting errors, logging, validating, saving), the bare
loop with forward, backward and step alone. The sides take turns, and a ratio is the median of the
rounds' own, so that a machine whose speed drifts does not decide it. Leave the machine alone
meanwhile, some twenty minutes. The record is results/speed/benchmark.json, of which docs/speed.md
is made; from what the part "recipes" measures, on whatever processor, docs/results.md reckons the
seconds of a training.
"""

import itertools
import os
import shlex
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.command import Parser, run_command, say
from experiments.startup import import_lightning
from mnist_arch import files
from mnist_arch.errors import UserError

if TYPE_CHECKING:
    from mnist_arch.runs.config import Config

NETWORKS = ("dense", "mlp", "lenet5", "tanh_cnn", "dropout_cnn")
TOGETHER = ("dense", "mlp")  # on a CPU their seeds train together in one process
COPIES = (1, 2, 4, 8, 16, 32, 64)
RECORD, PAGE = Path("results/speed/benchmark.json"), Path("docs/speed.md")
STARTS = {
    "--help": ["experiments.run", "--help"],
    "a mistyped word": ["experiments.run", "model=lenet6"],
    "to the first step": [
        *("experiments.run", "model=lenet5", "recipe.max_epochs=1", "data.size=100"),
        *("test=false", "figures=false"),
        "+callbacks.first._target_=mnist_arch.analysis.speed.FirstStep",
    ],
}


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=5, help="of measurements that take turns")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement, about")
    parser.add_argument("--only", action="append", choices=PARTS, help="parts to measure")
    parser.add_argument("--keras", metavar="PYTHON", help="with Keras and TensorFlow")
    parser.add_argument("--speedrun-seeds", type=int, default=10, metavar="N", help="0: peers")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--from-records", action="store_true", help="write the page only")
    args = parser.parse_args()
    if args.rounds < 1:
        raise UserError(f"--rounds {args.rounds}: must be 1 or more")
    for name in args.networks:
        if name not in NETWORKS:
            raise UserError(f"{name}: choose among {', '.join(NETWORKS)}")
    if args.out == RECORD and not (Path("results").is_dir() and Path("docs").is_dir()):
        raise UserError("there is no results/ and docs/ here: use --out elsewhere")
    if not args.from_records:
        if args.out == RECORD:
            RECORD.parent.mkdir(exist_ok=True)
        files.target(str(args.out))
        measure(args, _without_paths(parser.command))
    if args.out == RECORD:
        from mnist_arch.reports import speed as report
        from mnist_arch.runs.records import blamed

        with blamed(RECORD):
            report.write(RECORD, PAGE)


def measure(args: Any, command: str) -> None:
    """Measure part by part, and write the record after each."""
    import_lightning()
    from mnist_arch.analysis import speed
    from mnist_arch.runs import records
    from mnist_arch.runs.provenance import Provenance

    load, processor = os.getloadavg()[0], speed.processor()
    provenance = Provenance.of(command, {})
    parts: dict[str, Any] = {part: {} if part in ("starts", "sdlm") else [] for part in PARTS}
    commands: dict[str, list[str]] = {}
    if args.only and args.out.exists():  # the other parts stay as they are
        before = records.read_as(speed.Speed, args.out)
        if before.processor != processor:
            raise UserError(
                f"--only: {args.out} is of another processor; measure all, or use --out"
            )
        parts, commands = {part: getattr(before, part) for part in PARTS}, before.commands
    for part in PARTS:
        if args.only and part not in args.only:
            continue
        measured = MEASURES[part](args)
        made = [command]
        if isinstance(measured, list):  # what was not measured now keeps its row
            rows = {_named(row): row for row in [*parts[part], *measured]}
            if len(rows) > len(measured):
                made = [*dict.fromkeys([*commands.get(part, []), command])]
            measured = [*rows.values()]
        parts[part], commands[part] = measured, made
        record = speed.Speed(
            processor=processor,
            load=load,
            commands=commands,
            provenance=provenance,
            **parts,
        )
        records.write_values(args.out, asdict(record))


def _named(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a row is about."""
    return tuple(row.get(key) for key in ("program", "network", "recipe", "copies", "hidden"))


def training(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed
    from mnist_arch.analysis.cost import training_flops
    from mnist_arch.models import blank

    peer, rows = Path(__file__).parent / "peers/keras_fit.py", []
    for name, config in configs(args).items():
        speed.bare(config, 20)
        batch = config.recipe.batch_size
        steps = max(20, round(args.seconds * speed.bare(config, 20) / batch))
        row: dict[str, Any] = {
            "network": name,
            "batch": batch,
            "flops": training_flops(blank(name)),
        }
        row |= {"peak": [], "bare": [], "ours": [], "keras": []}
        for _ in range(args.rounds):
            row["peak"].append(speed.peak())
            row["bare"].append(speed.bare(config, steps))
            row["ours"].append(speed.ours(config, steps))
            if args.keras:
                row["keras"].append(speed.keras(args.keras, peer, config, steps))
        rows.append(row)
        say(f"{name}: ours / bare {speed.ratio(row['ours'], row['bare']):.2f}")
    return rows


def scoring(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed

    rows = []
    for name, config in configs(args).items():
        rate = speed.bare(config, 20)
        steps = max(20, round(args.seconds * rate / config.recipe.batch_size / 3))
        count = max(2000, round(args.seconds * rate))
        row: dict[str, Any] = {"network": name, "scoring": [], "training": []}
        for _ in range(args.rounds):
            row["scoring"].append(speed.scoring(config, count))
            row["training"].append(speed.ours(config, steps))
        rows.append(row)
        say(f"{name}: scoring / training {speed.ratio(row['scoring'], row['training']):.1f}")
    return rows


def starts(args: Any) -> dict[str, list[float]]:
    from mnist_arch.analysis import speed

    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds + 1):
            for name, words in STARTS.items():
                runs = [] if "--help" in words else [f"runs={folder}/{number}"]
                seconds[name].append(speed.start([*words, *runs]))
    say(f"starts: {seconds}")
    return {name: each[1:] for name, each in seconds.items()}  # the first warmed the disk


def seeds(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed
    from mnist_arch.runs.config import compose

    rows = []
    for name, copies in itertools.product(TOGETHER, COPIES):
        config = compose([f"model={name}", "trainer.accelerator=cpu"])
        row: dict[str, Any] = {"network": name, "copies": copies, "together": [], "alone": []}
        for _ in range(args.rounds):
            row["together"].append(speed.together(config, copies, 100))
            row["alone"].append(config.recipe.batch_size / speed.bare(config, 1000))
        rows.append(row)
        times = speed.ratio(row["together"], row["alone"])
        say(f"{name}: {copies} copies take {times:.1f} times as long as one")
    return rows


def processes(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed

    rows = []
    for name, config in configs(args).items():
        if name in TOGETHER:
            continue
        rate, threads = speed.bare(config, 20), speed.processor()["threads"]
        steps = max(20, round(args.seconds * rate / config.recipe.batch_size))
        speed.side_by_side(config, 20)  # starts the processes
        row: dict[str, Any] = {"network": name, "alone": [], "alone_thread": [], "together": []}
        for _ in range(args.rounds):
            row["alone"].append(speed.ours(config, steps, threads))
            row["alone_thread"].append(speed.ours(config, steps, 1))
            row["together"].append(speed.side_by_side(config, steps))
        speed.ours(config, 20, threads)  # leaves torch its threads
        rows.append(row)
        say(f"{name}: together / alone {speed.ratio(row['together'], row['alone']):.2f}")
    return rows


def profile(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed

    return [
        {"network": name, "shares": speed.profile(config)}
        for name, config in configs(args).items()
    ]


def sdlm(args: Any) -> dict[str, list[float]]:
    from mnist_arch.analysis import speed

    seconds = {
        "compiled": [speed.sdlm(10_000, compiled=True) for _ in range(args.rounds)],
        "plain": [speed.sdlm(2_000, compiled=False) for _ in range(args.rounds)],
    }
    say(f"SDLM: {seconds}")
    return seconds


def widths(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed

    return [
        {"hidden": hidden, "rates": [speed.wide(hidden, 100) for _ in range(args.rounds)]}
        for hidden in (10, 30, 100, 300, 1000, 3000)
    ]


def recipes(args: Any) -> list[dict[str, Any]]:
    from mnist_arch.analysis import speed
    from mnist_arch.models import ARCHITECTURES
    from mnist_arch.runs.config import compose

    rows, all_threads = [], speed.processor()["threads"]
    kinds = [(name, each) for name in args.networks or ARCHITECTURES for each in (name, "modern")]
    for name, recipe in kinds:
        config = compose([f"model={name}", f"recipe={recipe}", "trainer.accelerator=cpu"])
        batch = config.recipe.batch_size
        threads = 1 if batch == 1 else all_threads
        rate = speed.ours(config, max(20, 2000 // batch), threads)
        steps = speed.PATTERNS if batch == 1 else max(20, round(args.seconds * rate / batch))
        rates = [speed.ours(config, steps, threads) for _ in range(args.rounds)]
        rows.append({"network": name, "recipe": recipe, "rates": rates})
        say(f"{name}, {recipe}: {statistics.median(rates):,.0f} images/s")
    return rows


def speedrun(args: Any) -> list[dict[str, Any]]:
    from experiments import speedrun

    rows = speedrun.speedrun(range(args.speedrun_seeds), speedrun.peers(args.peer), range(3))
    return [row._asdict() for row in rows]


def configs(args: Any) -> "dict[str, Config]":
    """Compose the own recipe of each network."""
    from mnist_arch.runs.config import compose

    return {
        name: compose([f"model={name}", "trainer.accelerator=cpu"])
        for name in args.networks or NETWORKS
    }


MEASURES: dict[str, Callable[[Any], Any]] = {
    "training": training,
    "scoring": scoring,
    "starts": starts,
    "seeds": seeds,
    "processes": processes,
    "profile": profile,
    "sdlm": sdlm,
    "widths": widths,
    "recipes": recipes,
    "speedrun": speedrun,
}
PARTS = tuple(MEASURES)


def _without_paths(command: str) -> str:
    """Leave out of a command where this machine keeps its peers.

    >>> _without_paths("python -m experiments.benchmark --keras /a/python --peer b='python c.py'")
    'python -m experiments.benchmark --keras PYTHON --peer b=COMMAND'
    """
    words = shlex.split(command)
    for number, word in enumerate(words[:-1], start=1):
        if word == "--keras":
            words[number] = "PYTHON"
        if word == "--peer":
            words[number] = f"{words[number].partition('=')[0]}=COMMAND"
    return shlex.join(words)


if __name__ == "__main__":
    run_command(main)
