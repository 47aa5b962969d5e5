"""What each step of `inference.preprocess` is worth: the same, with one step left out."""

from typing import NamedTuple

import numpy as np
from PIL.Image import Resampling

from mnist_arch.inference.paper import resized
from mnist_arch.inference.preprocess import BOX, SIDE, Preprocessor, Shape


class Ablation(NamedTuple):
    """A step, what happens in its place, and the preprocessor that does that."""

    step: str
    instead: str
    preprocessor: Preprocessor


def _unfitted(digit: Shape, picture: Shape) -> Shape:
    return tuple(max(1, min(SIDE, round(SIDE * side / max(picture)))) for side in digit)


ALL = Preprocessor()
ABLATIONS = {
    "sheet": Ablation(
        "sheet", "the whole picture is paper", ALL._replace(sheet=lambda values: (values, 0, 0))
    ),
    "margin": Ablation(
        "margin of a crop", "none is added", ALL._replace(margin=lambda values: (values, 0))
    ),
    "lines": Ablation("printed lines", "they stay", ALL._replace(lines=lambda ink: ink)),
    "polarity": Ablation(
        "polarity", "light ink on dark is taken for granted", ALL._replace(is_dark=lambda _: False)
    ),
    "background": Ablation(
        "background removal",
        "the median is the background everywhere",
        ALL._replace(
            paper=lambda values: np.full_like(values, np.median(values)), shadow=np.zeros_like
        ),
    ),
    "noise": Ablation(
        "noise threshold",
        "whatever is above Otsu's threshold is ink",
        ALL._replace(
            smooth=lambda ink, _: ink, edge=lambda *values: values[-1], least=lambda _: 0
        ),
    ),
    "largest_group": Ablation(
        "largest group of strokes",
        "all ink is the digit",
        ALL._replace(choose=lambda signs, _: np.any(signs, axis=0)),
    ),
    "fit_to_box": Ablation(
        "fit to 20x20", "the picture is reduced to 28 pixels", ALL._replace(size=_unfitted)
    ),
    "keep_aspect": Ablation(
        "aspect ratio", "the digit is stretched to 20x20", ALL._replace(size=lambda *_: (BOX, BOX))
    ),
    "antialias": Ablation(
        "anti-aliasing",
        "the nearest pixel is taken",
        ALL._replace(resize=lambda digit, size: resized(digit, size, Resampling.NEAREST)),
    ),
    "centre_by_mass": Ablation(
        "centre of mass",
        "the box is centred",
        ALL._replace(corner=lambda digit: tuple((SIDE - side) // 2 for side in digit.shape)),
    ),
    "sharpness": Ablation(
        "sharpening", "the digit stays blurred", ALL._replace(sharpen=lambda digit: digit)
    ),
    "stroke_weight": Ablation(
        "stroke width", "strokes stay as they are", ALL._replace(weigh=lambda digit, _: digit)
    ),
}
