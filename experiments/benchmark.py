"""How fast do we train, score and start, beside the best bare loop that we can write?

    python -m experiments.benchmark
    python -m experiments.benchmark dense lenet5 --rounds 3 --only training
    python -m experiments.benchmark --keras /path/to/a/python/with/tensorflow
    python -m experiments.benchmark --from-records        (writes docs/speed.md, measures nothing)

Every side trains the same network by its own recipe's optimiser and batch size, on random pixels:
ours as experiments.run does (shuffling, counting errors, logging, validating, saving), the bare
loop with forward, backward and step alone. The sides take turns, and a ratio is the median of the
rounds' own, so that a machine whose speed drifts does not decide it. Leave the machine alone
meanwhile, some ten minutes. The record is results/speed/benchmark.json, of which docs/speed.md is
made.
"""

import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.command import Parser, run_command
from experiments.startup import import_lightning
from mnist_arch import files
from mnist_arch.errors import UserError

NETWORKS = ("dense", "mlp", "lenet5", "tanh_cnn", "dropout_cnn")
PARTS = ("training", "scoring", "starts", "seeds", "sdlm", "widths", "speedrun")
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
    parser.add_argument("--speedrun-seeds", type=int, default=10, metavar="N")
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

        report.write(RECORD, PAGE)


def measure(args: Any, command: str) -> None:
    """Measure what is asked for, part by part, and write the record after each."""
    import_lightning()
    from mnist_arch.analysis import speed
    from mnist_arch.runs import records
    from mnist_arch.runs.config import compose
    from mnist_arch.runs.provenance import Provenance

    load = os.getloadavg()[0]
    rounds, chosen = range(args.rounds), args.only or PARTS
    configs = {
        name: compose([f"model={name}", "trainer.accelerator=cpu"])
        for name in args.networks or NETWORKS
    }
    parts: dict[str, Any] = {}
    if args.only and args.out.exists():  # the other parts stay as they are
        parts = {part: records.read_values(args.out, {*PARTS}, 1)[part] for part in PARTS}

    def save() -> None:
        empty: dict[str, Any] = {part: {} if part in ("starts", "sdlm") else [] for part in PARTS}
        whole = speed.Speed(
            processor=speed.processor(),
            load=load,
            peak=[speed.peak() for _ in rounds],
            provenance=Provenance.of(command, {}),
            **(empty | parts),
        )
        records.write_values(args.out, asdict(whole))

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    if "training" in chosen:
        rows = []
        for name, config in configs.items():
            speed.bare(config, 20)
            batch = config.recipe.batch_size
            steps = max(20, round(args.seconds * speed.bare(config, 20) / batch))
            row: dict[str, Any] = {"network": name, "batch": batch, "flops": speed.flops(config)}
            row |= {"bare": [], "ours": [], "keras": []}
            for _ in rounds:
                row["bare"].append(speed.bare(config, steps))
                row["ours"].append(speed.ours(config, steps))
                if args.keras:
                    peer = Path(__file__).parent / "peers/keras_fit.py"
                    row["keras"].append(speed.keras(args.keras, peer, config, steps))
            rows.append(row)
            say(f"{name}: ours / bare {speed.ratio(row['ours'], row['bare']):.2f}")
        parts["training"] = rows
        save()
    if "scoring" in chosen:
        rows = []
        for name, config in configs.items():
            rate = speed.bare(config, 20)
            steps = max(20, round(args.seconds * rate / config.recipe.batch_size / 3))
            count = max(2000, round(args.seconds * rate) // 1000 * 1000)
            row = {"network": name, "scoring": [], "training": []}
            for _ in rounds:
                row["scoring"].append(speed.scoring(config, count))
                row["training"].append(speed.ours(config, steps))
            rows.append(row)
            say(f"{name}: scoring / training {speed.ratio(row['scoring'], row['training']):.1f}")
        parts["scoring"] = rows
        save()
    if "starts" in chosen:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            words = {name: list(each) for name, each in STARTS.items()}
            parts["starts"] = {name: [] for name in words}
            for number in range(args.rounds + 1):  # the first warms the disk
                words["to the first step"][-1:] = [STARTS["to the first step"][-1]]
                runs = [f"runs={folder}/{number}"]
                for name, each in words.items():
                    more = runs if name == "to the first step" else []
                    seconds = speed.start([*each, *more])
                    if number:
                        parts["starts"][name].append(seconds)
        say(f"starts: {parts['starts']}")
        save()
    if "seeds" in chosen:
        rows = []
        for name in ("dense", "mlp"):
            config = compose([f"model={name}", "trainer.accelerator=cpu"])
            for copies in (1, 2, 4, 8, 16, 32, 64):
                row = {"network": name, "copies": copies, "together": [], "alone": []}
                for _ in rounds:
                    row["together"].append(speed.together(config, copies, 100))
                    row["alone"].append(speed.alone(config, 1000))
                rows.append(row)
                times = speed.ratio(row["together"], row["alone"])
                say(f"{name}: {copies} copies take {times:.1f} times as long as one")
        parts["seeds"] = rows
        save()
    if "sdlm" in chosen:
        parts["sdlm"] = {
            "compiled": [speed.sdlm(10_000, compiled=True) for _ in rounds],
            "plain": [speed.sdlm(2_000, compiled=False) for _ in rounds],
        }
        say(f"SDLM: {parts['sdlm']}")
        save()
    if "widths" in chosen:
        widths = (10, 30, 100, 300, 1000, 3000)
        parts["widths"] = [
            {"hidden": hidden, "rates": [speed.wide(hidden, 100) for _ in rounds]}
            for hidden in widths
        ]
        save()
    if "speedrun" in chosen:
        from experiments.speedrun import speedrun

        peers = dict(each.split("=", 1) for each in args.peer)
        parts["speedrun"] = [each._asdict() for each in speedrun(args.speedrun_seeds, peers, 3)]
        save()


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
