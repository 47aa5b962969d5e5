"""How is a trained network taken elsewhere? As ONNX or torch.export files that say what they are.

    python -m experiments.export runs/lenet5-seed0
    python -m experiments.export runs/* --format onnx --out exports

A file takes raw pixels, any number of images at once, and gives scores and probabilities. It is
kept only if it predicts for 1,000 digits what the network predicts; a model card is written beside
it.
"""

from pathlib import Path

from experiments import words
from experiments.command import Parser, run_command
from mnist_arch import files
from mnist_arch.errors import UserError
from mnist_arch.files import target


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="+", help="folders of finished runs, or globs of these")
    parser.add_argument("--format", default="onnx,pt2", metavar="NAMES", help="onnx, pt2 or both")
    parser.add_argument("--out", type=Path, default=Path("exports"), metavar="FOLDER")
    parser.add_argument("--data", default="mnist", metavar="NAME", help="to verify the files on")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="of the data")
    parser.add_argument("--record", type=target, metavar="FILE", help="for sizes and differences")
    args = parser.parse_args()
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.inference.export import export
    from mnist_arch.reports import card
    from mnist_arch.runs.provenance import Provenance

    runs = words.runs(args.runs)  # what is no run is refused before any work
    if len({run.resolve().name for run in runs}) < len(runs):
        raise UserError("two of the runs have the same name, and so would their files")
    data = sources.load(args.data, args.root or sources.default_root())
    exported = []
    for run in runs:
        for file in export(run, args.out, args.format.split(","), data):
            files.write(args.out / f"{file.name}.md", card.model_card(file, run))
            print(f"{args.out / file.name}: verified on {file.verified_on}")
            exported.append(file)
    print(f"\n{card.table(exported).text()}")
    if args.record:
        card.write(args.record, exported, Provenance.of(parser.command, data.sha256))


if __name__ == "__main__":
    run_command(main)
