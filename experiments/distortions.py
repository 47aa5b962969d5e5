"""What does augmentation do to a digit? A figure of real ones.

    python -m experiments.distortions
    python -m experiments.distortions --data mnist_5k --out some.png

Each row shows one distortion, its strength drawn anew for each digit. The strengths are those of
augmented_cnn's recipe and of conf/recipe/augmentation/paper_1998.yaml.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from experiments.command import Parser, run_command
from mnist_arch.files import target

if TYPE_CHECKING:
    from mnist_arch.data.augment import PlanarAffine, RandomAffine
    from mnist_arch.data.batches import Augmentation

UNITS = {"rotation": "°", "zoom": " of the size", "shift": " of the width"}
UNITS |= {"translation": " pixels", "shearing": " pixels a row"}

Affine = TypeVar("Affine", "RandomAffine", "PlanarAffine")


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("--data", default="mnist", metavar="NAME", help="mnist, mnist_5k, ...")
    parser.add_argument("--root", type=Path, help="of the data")
    parser.add_argument("--out", type=target, default="distortions.png", metavar="PNG")
    args = parser.parse_args()
    from mnist_arch.data import sources  # seconds of imports
    from mnist_arch.data.splits import first_of_each
    from mnist_arch.randomness import generator
    from mnist_arch.reports.figures.digits import digit_rows
    from mnist_arch.reports.figures.style import write_png

    data = sources.load(args.data, args.root or sources.default_root())
    digits = first_of_each(data.train)
    rows = {"as they are": digits.float()}
    for name, distortion in distortions().items():
        rows[name] = distortion(digits, generator(0, "augmentation"))
    title = f"{data.title}: the first training image of each digit, each distorted by its own draw"
    write_png(digit_rows(rows, title), args.out)
    print(args.out)


def distortions() -> "dict[str, Augmentation]":
    """Name every distortion: each strength alone, then all of a source together."""
    from mnist_arch.data.augment import ElasticAffine, PlanarAffine, RandomAffine

    simard = ElasticAffine(rotation=0, zoom=0, shift=0, alpha=34, sigma=4)
    keras = distortion_of("model=augmented_cnn")
    lecun = distortion_of("model=lenet5_1998", "recipe/augmentation=paper_1998")
    assert isinstance(keras, RandomAffine)
    assert isinstance(lecun, PlanarAffine)
    return {
        **alone(keras),
        "augmented_cnn: these three": keras,
        **alone(lecun),
        "LeCun et al. 1998: these four": lecun,
        f"elastic, Simard et al. 2003: alpha {simard.alpha:g}, sigma {simard.sigma:g}": simard,
        "elastic and augmented_cnn's": replace(simard, **vars(keras)),
    }


def distortion_of(*words: str) -> Any:
    """Build the augmentation that the settings' words choose."""
    from hydra.utils import instantiate

    from mnist_arch.runs.config import compose

    return instantiate(compose(words).recipe.augmentation)


def alone(affine: Affine) -> dict[str, Affine]:
    """Name each strength of a distortion, with the others set to zero."""
    strengths = {field.name: getattr(affine, field.name) for field in fields(affine)}
    nothing = dict.fromkeys(strengths, 0)
    return {
        f"{name} ±{value:g}{UNITS.get(name, '')}": type(affine)(**nothing | {name: value})
        for name, value in strengths.items()
    }


if __name__ == "__main__":
    run_command(main)
