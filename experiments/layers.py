"""What do the layers of a trained network make of a digit? One picture.

python -m experiments.layers lenet5
python -m experiments.layers runs/mlp-seed0 --image 4 --out mlp.png
"""

from pathlib import Path

from experiments.command import Parser, run_command
from mnist_arch.errors import UserError
from mnist_arch.files import target


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("run", type=Path, help="a finished run, or the name of weights")
    parser.add_argument("--image", type=int, default=0, metavar="N", help="of the test images")
    parser.add_argument("--out", type=target, default="layers.png", metavar="PNG")
    parser.add_argument("--root", type=Path, help="of the data")
    args = parser.parse_args()
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.reports.figures.network import journey
    from mnist_arch.reports.figures.style import write_png
    from mnist_arch.runs import checkpoint, records
    from mnist_arch.runs.shipped import located

    run = located(args.run)
    record = records.read(run)
    images = sources.load(record.data, args.root or sources.default_root()).test.images
    if not 0 <= args.image < len(images):
        raise UserError(f"--image {args.image}: there are {len(images):,} test images, from 0")
    write_png(journey(checkpoint.load(run), images[args.image, None]), args.out)
    print(args.out)


if __name__ == "__main__":
    run_command(main)
