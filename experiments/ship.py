"""Which trained weights come with the package? Makes a set of each of some finished runs.

    python -m experiments.ship runs/lenet5-seed0 runs/mlp-seed0

A set is a folder below mnist_arch/weights: the run's record, its weights as safetensors, and a
model card. It takes the place of the one of the same network and recipe. For who works on the
library: users find the sets by name, as in `python -m experiments.predict lenet5 a.png`.
"""

from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch import files


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    args = parser.parse_args()
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.inference.shipping import ship
    from mnist_arch.reports import card

    data = sources.load("mnist", sources.default_root())
    for run in args.runs:
        folder, exported = ship(run, data)
        files.write(folder / "README.md", card.model_card(exported, folder))
        print(f"{folder.name}: {exported.size:,} bytes, SHA-256 {exported.sha256}")


if __name__ == "__main__":
    run_command(main)
