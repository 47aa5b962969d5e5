"""How does a network's error fall from pass to pass? A picture made from records.

    python -m experiments.curves                                 (LeNet-5 of 1998, committed runs)
    python -m experiments.curves runs --model mlp --out mlp.png  (your own runs)

Training errors are counted as the network learns, as fig. 5 of the LeNet-5 paper counts them; the
errors on held-out digits come from runs that hold some out.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

import mnist_arch
from experiments.command import run_command
from mnist_arch.errors import UserError, suggestion
from mnist_arch.files import target
from mnist_arch.reports.figures.style import write_png
from mnist_arch.reports.figures.training import training_curves
from mnist_arch.reports.results import Group, groups
from mnist_arch.runs.records import Record, read_all


def main() -> None:
    """Read the records of one network, and draw them."""
    parser = argparse.ArgumentParser(prog="experiments.curves", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results"), help="of records")
    parser.add_argument("--model", default="lenet5_1998", help="a network")
    parser.add_argument("--out", type=target, default="docs/lenet5_1998.png", metavar="PNG")
    asked = parser.parse_args()
    if asked.model not in mnist_arch.architectures():
        near = suggestion(asked.model, mnist_arch.architectures())
        raise UserError(f"--model {asked.model}: no such network; {near}")
    write_png(figure(asked.folder, asked.model), asked.out)
    print(asked.out)


def figure(folder: Path, model: str) -> Figure:
    """Draw the curves of a network from the records in a folder.

    Raises:
        UserError: There are none.
    """
    published, chosen_by = read_all(folder), read_all(folder / "search")
    drawn = curves([*groups(published), *groups(chosen_by)], model)
    if not drawn:
        raise UserError(f"{folder}: no runs of {model} by a recipe with a claim there")
    return training_curves(drawn, f"{model}, errors as it learns")


def curves(found: Sequence[Group], model: str) -> dict[str, list[list[float]]]:
    """Name the curves of a network's ways to its claim, in percent of errors after each pass."""
    drawn: dict[str, list[list[float]]] = {}
    for group in found:
        others = [word for word in group.variant if not word.startswith("recipe.validation=")]
        if group.architecture != model or others or not (group.is_own or group.is_tried):
            continue
        count = f"{len(group.records)} run{'s' * (len(group.records) > 1)}"
        first = group.records[0]
        name = f"recipe={group.recipe}, {first.train_images:,} training digits ({count})"
        drawn[name] = [_errors(record, "train") for record in group.records]
        if first.validation_images:
            name = f"recipe={group.recipe}, {first.validation_images:,} held-out digits ({count})"
            drawn[name] = [_errors(record, "validation") for record in group.records]
    return drawn


def _errors(record: Record, split: str) -> list[float]:
    return [100 - accuracy for accuracy in record.history[f"{split}/accuracy"]]


if __name__ == "__main__":
    run_command(main)
