"""How well are pictures read that are not MNIST's, and what is doubted? Measured, as a page.

    python -m experiments.reading runs/lenet5-seed1 runs/mlp-seed1     (many minutes)
    python -m experiments.reading                                      (the page, from its record)
    python -m experiments.reading --least-scores runs/held_out/*       (what is doubted, by net)

The networks read MNIST's test digits, turned into pictures, UCI's digits, and what is no digit.
The runs of --least-scores held digits out of the 60,000; the score that 5 % of these stay below is
kept for their network and recipe.
"""

import argparse
import shlex
import sys
from pathlib import Path

from experiments.command import run_command
from mnist_arch import files
from mnist_arch.errors import UserError

RECORD, PAGE = Path("results/reading.json"), Path("docs/reading.md")


def main() -> None:
    """Measure if networks are named, and write the page."""
    parser = argparse.ArgumentParser(
        prog="experiments.reading", description=__doc__.split("\n")[0]
    )
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs")
    parser.add_argument("--least-scores", action="store_true", help="only measure these")
    parser.add_argument("--digits", type=int, default=10_000, metavar="N", help="test digits")
    parser.add_argument("--others", type=int, default=200, metavar="N", help="of each no digit")
    parser.add_argument("--ablation", type=int, default=500, metavar="N", help="digits for it")
    asked = parser.parse_args()
    if not (RECORD.parent.is_dir() and PAGE.parent.is_dir()):
        raise UserError("there is no results/ and docs/ here: call it in the project's folder")
    if asked.least_scores:
        least_scores(asked.runs)
        return
    if asked.runs:
        measure(asked)
    from mnist_arch.evaluation import records
    from mnist_arch.inference import reading

    files.write(PAGE, reading.page(records.read_as(reading.Reading, RECORD)))
    print(PAGE)


def measure(asked: argparse.Namespace) -> None:
    """Read everything with every network, and write the record."""
    import mnist_arch
    from mnist_arch.data import sources
    from mnist_arch.data.splits import Split
    from mnist_arch.evaluation import records
    from mnist_arch.inference import reading

    nets = {
        folder.name: (
            mnist_arch.load(folder),
            "recipe.augmentation._target_" in records.read(folder).config,
        )
        for folder in asked.runs
    }
    test = sources.load("mnist", sources.default_root()).test
    command = shlex.join(["python", "-m", "experiments.reading", *sys.argv[1:]])
    first = Split(test.images[: asked.digits], test.digits[: asked.digits])
    lenets = [name for name in nets if name.startswith("lenet5-")]
    made = reading.measure(
        nets,
        first,
        command,
        no_digits=asked.others,
        ablation_digits=asked.ablation,
        ablation_net=(lenets or list(nets))[0],
    )
    made.write(RECORD)


def least_scores(runs: list[Path]) -> None:
    """Measure below which greatest score a network doubts, by digits its training left out."""
    from mnist_arch import checkpoint
    from mnist_arch.data import sources
    from mnist_arch.data.splits import stratified
    from mnist_arch.evaluation import records
    from mnist_arch.inference.predictor import LEAST_SCORES, least_score

    train = sources.load("mnist", sources.default_root()).train
    found = {}
    for folder in runs:
        record = records.read(folder)
        if not record.validation_images or record.data != "mnist":
            raise UserError(f"{folder}: holds out no digits of MNIST; set recipe.validation=0.1")
        share = record.config["recipe.validation"]
        held_out = stratified(train.digits, share, record.config["data.split_seed"])[1]
        score = least_score(checkpoint.load(folder), train.images[held_out])
        found[f"{record.architecture}, {record.recipe}"] = round(score, 3)
    records.write_values(LEAST_SCORES, dict(sorted(found.items())))
    print(LEAST_SCORES)


if __name__ == "__main__":
    run_command(main)
