"""Do the published claims hold? Measure all of them again, and write the pages that say so.

    python -m experiments.reproduce                    (every network, three seeds: many hours)
    python -m experiments.reproduce --models dense,mlp --seeds 0..9
    python -m experiments.reproduce trainer.precision=bf16-mixed     (a setting for every run)
    python -m experiments.reproduce --from-records     (train nothing; only pages and figures)

Every network is trained by the recipe of its source. A run that is finished in runs/ is not
repeated, one that was interrupted is resumed; the records go to results/, from which the pages are
made.
"""

import itertools
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import mean

import mnist_arch
from experiments import sweeps
from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError, suggestion
from mnist_arch.runs.config import Config, compose, several_seeds
from mnist_arch.runs.folders import finished
from mnist_arch.runs.identity import run_name
from mnist_arch.runs.records import read_all

RUNS, RESULTS = Path("runs"), Path("results")
SET_HERE = ("model", "recipe", "seed", "runs", "test")  # not for the user to set
PAGES_WITH_TABLES = ("docs/results.md", "docs/seeds.md", "docs/lenet5_1998.md")
# What makes the pages and figures of this project from its records and its data, in this order.
PAGES = (
    *(
        ("experiments.curves", "results", "--model", name, "--out", f"docs/{name}.png")
        for name in ("lenet5_1998", "tanh_cnn")
    ),
    ("experiments.distortions", "--out", "docs/distortions.png"),
    ("experiments.explore", "--out", "docs/data"),
    ("experiments.report", "--write", "README.md", *PAGES_WITH_TABLES),
    ("experiments.report", "--figure", "seeds", "docs/seeds.png"),
    ("experiments.report", "--figure", "cost", "docs/cost.png"),
    ("experiments.report", "--sources", "docs/sources.md"),
    ("experiments.robustness", "--from-records", "--sheet"),
    ("experiments.reading",),
    ("experiments.audit", "--from-records"),
    ("experiments.benchmark", "--from-records"),
    ("experiments.layers", "lenet5", "--image", "4", "--out", "docs/lenet5.png"),
    ("experiments.tour", "--out", "docs"),
)


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("settings", nargs="*", help="of every run, as for experiments.run")
    parser.add_argument("--models", default=",".join(mnist_arch.architectures()), help="networks")
    parser.add_argument("--seeds", default="0..2", metavar="N..N", help="or N,N,... (0..2)")
    parser.add_argument("--from-records", action="store_true", help="train nothing")
    args = parser.parse_args()
    if not (RESULTS.is_dir() and Path("README.md").is_file()):
        raise UserError("there is no results/ and README.md here: call it in the project's folder")
    models = args.models.split(",")
    for name in models:
        if name not in mnist_arch.architectures():
            near = suggestion(name, mnist_arch.architectures())
            raise UserError(f"--models {name}: no such network; {near}")
    seeds = several_seeds(args.seeds)
    complete = args.from_records or measure(models, seeds, args.settings)
    codes = [subprocess.run([sys.executable, "-m", *words]).returncode for words in PAGES]
    if not complete or any(codes):
        sys.exit(1)


def measure(models: list[str], seeds: list[int], settings: list[str]) -> bool:
    """Run each network with each seed, and keep the records; returns whether all went well.

    Raises:
        UserError: A setting is impossible; nothing was run.
    """
    for word in settings:
        if (key := word.lstrip("+~").partition("=")[0]) in SET_HERE:
            raise UserError(f"{word}: claims are judged by runs that leave {key} as it is")
    jobs: list[tuple[list[str], Config]] = []
    for name, seed in itertools.product(models, seeds):
        words = [f"model={name}", f"seed={seed}", *settings]
        jobs.append((words, compose(words)))
    times = _seconds_an_epoch()

    def expected(config: Config) -> float:
        name, precision = config.model.name, config.trainer["precision"]
        any_precision = [seconds for (each, _), seconds in times.items() if each == name]
        seconds = times.get((name, precision)) or max(any_precision, default=0)
        return seconds * config.recipe.max_epochs

    # Every network is run once before any is twice, the quickest first.
    jobs.sort(key=lambda job: (job[1].seed, expected(job[1])))
    folder = RUNS / "sweeps" / f"reproduce-{datetime.now():%Y%m%d-%H%M%S-%f}"
    sweeps.begin(folder, len(jobs))
    for number, (words, config) in enumerate(jobs):
        left = [each for _, each in jobs[number:] if not finished(RUNS, each)]
        if seconds := round(sum(map(expected, left))):
            sys.stderr.write(f"about {timedelta(seconds=seconds)} left, as the last runs took\n")
        command = shlex.join(["python", "-m", "experiments.run", *words])
        job = sweeps.once(partial(compose, words), command)
        for run in sweeps.attempt(folder, number, words, job):
            record = (run / "record.json").read_bytes()
            files.write(RESULTS / f"{run_name(config)}.json", record)
    return sweeps.end(folder)


def _seconds_an_epoch() -> dict[tuple[str, str], float]:
    """Return the mean over the committed runs of each network and precision."""
    times: dict[tuple[str, str], list[float]] = {}
    for record in read_all(RESULTS):
        if record.recipe == record.architecture and not record.variant:
            seconds = record.seconds["training"] / record.epochs
            times.setdefault((record.architecture, record.precision), []).append(seconds)
    return {kind: mean(seconds) for kind, seconds in times.items()}


if __name__ == "__main__":
    run_command(main)
