"""How does a network's error fall from epoch to epoch? A figure made from records.

    python -m experiments.curves                        (your own runs, in runs/)
    python -m experiments.curves results --model mlp    (the published runs)

Training errors are counted while the network learns, as in fig. 5 of the LeNet-5 paper; validation
errors come from runs that keep images for validation.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import mnist_arch
from experiments.command import Parser, run_command
from mnist_arch.analysis.groups import Group, groups
from mnist_arch.errors import UserError, suggestion
from mnist_arch.files import target
from mnist_arch.runs.records import read_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), help="of records")
    parser.add_argument("--model", metavar="NAME", help="a network, where there are several")
    parser.add_argument("--out", type=target, default="curves.png", metavar="PNG")
    args = parser.parse_args()
    args.model = args.model or only_model(args.folder)
    if args.model not in mnist_arch.architectures():
        near = suggestion(args.model, mnist_arch.architectures())
        raise UserError(f"--model {args.model}: no such network; {near}")
    from mnist_arch.reports.figures.style import write_png  # seconds of imports

    write_png(figure(args.folder, args.model), args.out)
    print(args.out)


def only_model(folder: Path) -> str:
    """Return the network of the records in a folder.

    Raises:
        UserError: There are none, or of several networks.
    """
    names = {record.architecture for record in read_all(folder)}
    if not names:
        raise UserError(f"{folder}: no records there; make one with experiments.run")
    if len(names) > 1:
        raise UserError(
            f"{folder}: of several networks; choose by --model {', '.join(sorted(names))}"
        )
    return names.pop()


def figure(folder: Path, model: str) -> "Figure":
    """Draw the curves of a network from the records in a folder, those of searches included.

    Raises:
        UserError: There are none.
    """
    from mnist_arch.reports.figures.training import training_curves

    by_name = curves([*groups(read_all(folder)), *groups(read_all(folder / "search"))], model)
    if not by_name:
        raise UserError(f"{folder}: no runs of {model} by a recipe with a claim there")
    return training_curves(by_name, f"{model}, errors as it learns")


def curves(runs: Iterable[Group], model: str) -> dict[str, list[list[float]]]:
    """Name the curves of a network's ways to its claim, in percent of errors after each epoch."""
    from mnist_arch.analysis.judgements import is_other_way

    by_name: dict[str, list[list[float]]] = {}
    for group in runs:
        is_way = group.architecture == model and (group.is_own or is_other_way(group))
        if not is_way or group.variant.keys() - {"recipe.validation"}:
            continue
        for split, title in (("train", "training"), ("validation", "validation")):
            if images := group.first.images.get(split):
                name = f"recipe={group.recipe}, {images:,} {title} images"
                several = "s" * (len(group.records) > 1)
                by_name[f"{name} ({len(group.records)} run{several})"] = [
                    [100 - accuracy for accuracy in record.history[f"{split}/accuracy"]]
                    for record in group.records
                ]
    return by_name


if __name__ == "__main__":
    run_command(main)
