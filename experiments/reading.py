"""How well are pictures classified that are not MNIST's, and what is doubted? As a page.

    python -m experiments.reading reader lenet5 runs/mlp-seed1     (a minute or more each)
    python -m experiments.reading RUN --ablation RUN               (with each step left out)
    python -m experiments.reading                                  (the page, from its records)
    python -m experiments.reading --least-scores runs/held_out/*   (what is doubted, by net)

The networks classify MNIST's test digits, turned into pictures, UCI's digits, what is no digit,
and digits and numbers on paper of many kinds. Each run leaves a record in results/reading; what is
recorded is not measured again. The runs of --least-scores held validation digits out of the
60,000; the score below which 5 % of these stay is kept for their network and recipe.
"""

import json
from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.runs.shipped import READER, located

RECORDS, PAGE = Path("results/reading"), Path("docs/reading.md")
ABLATION_DIGITS = 500


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument(
        "runs", nargs="*", type=Path, help="folders of finished runs, or names of shipped weights"
    )
    parser.add_argument(
        "--ablation", type=Path, metavar="RUN", help="one of them, to leave each step out"
    )
    parser.add_argument("--least-scores", action="store_true", help="only measure these")
    args = parser.parse_args()
    args.runs = [located(run) for run in args.runs]
    args.ablation = args.ablation and located(args.ablation)
    if not (RECORDS.parent.is_dir() and PAGE.parent.is_dir()):
        raise UserError("there is no results/ and docs/ here: call it in the project's folder")
    if args.least_scores:
        least_scores(args.runs)
        return
    if args.ablation and args.ablation not in args.runs:
        raise UserError(f"--ablation {args.ablation}: is none of the runs")
    if args.runs:
        measure(args.runs, args.ablation)
    from mnist_arch.analysis.external import ExternalValidity
    from mnist_arch.reports.external import page
    from mnist_arch.runs.records import blamed, read_as

    records = [read_as(ExternalValidity, path) for path in sorted(RECORDS.glob("*.json"))]
    if not any(record.ablation for record in records):
        raise UserError(f"{RECORDS}: no run with an ablation; measure one with --ablation")
    with blamed(RECORDS):
        text = page(records)
    files.write(PAGE, text)
    print(PAGE)


def measure(runs: list[Path], ablation: Path | None) -> None:
    """Classify everything with every network that has no record, and write it."""
    from mnist_arch.analysis import external
    from mnist_arch.data import sources
    from mnist_arch.runs import records

    paths = {folder: RECORDS / f"{folder.resolve().name}.json" for folder in runs}
    for folder, path in paths.items():
        run = external.identity(records.read(folder))
        if path.exists() and records.read_as(external.ExternalValidity, path).run != run:
            raise UserError(f"{path}: of another run than {folder}; rename one of them")
    waiting = [folder for folder, path in paths.items() if not path.exists()]
    if not waiting:
        return
    data = sources.load("mnist", sources.default_root())
    challenge = external.challenge(data)
    RECORDS.mkdir(exist_ok=True)
    for folder in waiting:
        digits = ABLATION_DIGITS if folder == ablation else 0
        external.measure(folder, data, challenge, ablation_digits=digits).write(paths[folder])
        print(paths[folder])


def least_scores(runs: list[Path]) -> None:
    """Measure below which confidence an answer is doubtful, on digits that training left out.

    What is known of other networks and recipes stays.
    """
    from mnist_arch.data import sources
    from mnist_arch.data.splits import stratified
    from mnist_arch.inference.predictor import (
        DOUBTED,
        DOUBTED_BY_READER,
        LEAST_SCORES,
        least_score,
    )
    from mnist_arch.runs import checkpoint, records

    if not runs:
        raise UserError("--least-scores: name the runs to measure")
    if not LEAST_SCORES.is_relative_to(Path.cwd()):
        raise UserError(f"--least-scores writes {LEAST_SCORES}; call it in the project's folder")
    train = sources.load("mnist", sources.default_root()).train
    scores = json.loads(LEAST_SCORES.read_text())
    for folder in runs:
        record = records.read(folder)
        if "validation" not in record.scores or record.data != "mnist":
            raise UserError(f"{folder}: holds out no digits of MNIST; set recipe.validation=0.1")
        settings = {"recipe.validation", "data.split_seed"}
        if not settings <= record.config.keys():
            raise UserError(f"{folder}: its record does not say how they were chosen")
        share = record.config["recipe.validation"]
        held_out = stratified(train.labels, share, record.config["data.split_seed"])[1]
        doubted = DOUBTED_BY_READER if record.recipe == READER else DOUBTED
        score = least_score(checkpoint.load(folder), train.images[held_out], doubted)
        scores[f"{record.architecture}, {record.recipe}"] = round(score, 3)
    records.write_values(LEAST_SCORES, dict(sorted(scores.items())))
    print(LEAST_SCORES)


if __name__ == "__main__":
    run_command(main)
