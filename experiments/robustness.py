"""How well does a network classify images that are turned, hidden, inverted or noisy?

    python -m experiments.robustness runs/mlp-seed1 runs/lenet5-seed1  (tests these runs)
    python -m experiments.robustness --from-records                    (figures, docs/claims.md)
    python -m experiments.robustness --sheet                           (what the corruptions do)

Testing leaves one record for each run in results/robustness. What is recorded is not tested again,
and a test that was interrupted is resumed after its last finished corruption.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mnist_arch.analysis.robustness import Averaged


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="*", help="folders of finished runs, or globs of these")
    parser.add_argument("--again", action="store_true", help="test what is recorded, too")
    parser.add_argument("--from-records", action="store_true", help="write figures and claims.md")
    parser.add_argument("--sheet", action="store_true", help="draw the corruptions themselves")
    parser.add_argument("--results", type=Path, default=Path("results"), help="of the records")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="of the pages")
    parser.add_argument("--data", default="mnist", metavar="NAME", help="a data set")
    parser.add_argument("--root", type=Path, help="of the data")
    args = parser.parse_args()
    if not (args.runs or args.from_records or args.sheet):
        raise UserError("nothing to do; name runs, --from-records or --sheet")
    if (args.from_records or args.sheet) and not args.docs.is_dir():
        raise UserError(f"--docs {args.docs}: there is no such folder")
    if args.runs:
        test(words.runs(args.runs), args.results / "robustness", args.root, again=args.again)
    if args.from_records:
        write(args.results, args.docs, args.data)
    if args.sheet:
        draw_sheet(args.data, args.root, args.docs / "corruptions.png")


def test(runs: list[Path], out: Path, root: Path | None, *, again: bool) -> None:
    """Test runs, and print the accuracy of each at the greatest strengths."""
    from mnist_arch.analysis.robustness import Robustness, measure  # seconds of imports
    from mnist_arch.data import sources
    from mnist_arch.runs.records import read_as

    for path in measure(runs, out, root or sources.default_root(), again=again):
        accuracies = read_as(Robustness, path).accuracies
        greatest = {name: max(strengths) for name, strengths in accuracies.items()}
        ends = (f"{name} {at:g}: {accuracies[name][at]:.2f}" for name, at in greatest.items())
        print(f"{path}, percent correct: {', '.join(ends)}")


def write(results: Path, docs: Path, data: str) -> None:
    """Draw figures of one data set, and write the page of claims of MNIST; from records alone."""
    from mnist_arch.analysis import robustness
    from mnist_arch.reports import claims
    from mnist_arch.reports.figures.style import write_png

    nets = robustness.averaged(robustness.read_all(results / "robustness"), data)
    if not nets:
        raise UserError(f"{results / 'robustness'}: no records of {data} there; test a run first")
    for name, figure in figures(nets).items():
        write_png(figure, docs / f"{name}.png")
        print(docs / f"{name}.png")
    page = docs / "claims.md"
    files.write(page, claims.page(results))
    print(page)


def figures(nets: "Sequence[Averaged]") -> dict[str, "Figure"]:
    """Draw the accuracies of networks; keys are names of files in docs/."""
    from mnist_arch.analysis.corruptions import MNIST_C_LIKE, SWEEPS
    from mnist_arch.reports.figures.robustness import corruption_panels

    kinds = {
        "robustness": (SWEEPS, "Corrupted test images"),
        "robustness_mnist_c": (MNIST_C_LIKE, "MNIST-C-like corruptions, by our own code"),
    }
    return {name: corruption_panels(nets, *kind) for name, kind in kinds.items()}


def draw_sheet(name: str, root: Path | None, out: Path) -> None:
    """Corrupt the first training image of each digit, from the least strength to the greatest."""
    import torch

    from mnist_arch.analysis.corruptions import CORRUPTIONS
    from mnist_arch.data import sources
    from mnist_arch.data.splits import first_of_each
    from mnist_arch.randomness import generator
    from mnist_arch.reports.figures.digits import digit_rows
    from mnist_arch.reports.figures.style import write_png

    data = sources.load(name, root or sources.default_root())
    digits = first_of_each(data.train)
    rows = {"as they are": digits.float()}
    for each in CORRUPTIONS.values():
        last = len(each.strengths) - 1
        steps = torch.linspace(0, last, len(digits)).round().int().tolist()
        strengths = [each.strengths[step] for step in steps]
        rows[f"{each.title}: {strengths[0]:g} to {strengths[-1]:g}"] = torch.cat(
            [
                each(digits, strength, generator(0, "corruption"))[[place]]
                for place, strength in enumerate(strengths)
            ]
        )
    title = f"{data.title}: the first training image of each digit, strength growing to the right"
    write_png(digit_rows(rows, title), out)
    print(out)


if __name__ == "__main__":
    run_command(main)
