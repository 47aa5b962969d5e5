"""How well pictures are read that are not MNIST's: measured, recorded, and written as a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.evaluation import records
from mnist_arch.evaluation.report import markdown
from mnist_arch.inference import challenges
from mnist_arch.inference.challenges import Picture
from mnist_arch.inference.predictor import Predictor
from mnist_arch.inference.preprocess import ALL_STEPS, Prepared, Steps, prepare

VERSION = 1
SEED = 0  # draws every picture
NO_DIGITS: dict[str, Callable[[Generator], Picture]] = {
    "blank paper": challenges.blank,
    "noise": challenges.noise,
    "photographs": challenges.photograph,
    "scribbles": challenges.scribble,
    "letters": challenges.letter,
}
STEPS = {
    "polarity": "polarity found",
    "background": "background removed",
    "noise": "noise threshold",
    "largest_group": "largest group of strokes",
    "fit_to_box": "fitted to 20x20",
    "keep_aspect": "aspect kept",
    "antialias": "anti-aliased",
    "centre_by_mass": "centred by mass",
    "sharpness": "sharpened",
    "stroke_weight": "stroke weight",
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The record of a measurement; all counts are of images misread, or not doubted.

    Attributes:
        version: Of this format.
        command: A command that repeats it.
        digits: MNIST test digits read, the first of the file.
        uci_digits: Of UCI's optical digits.
        no_digits: Pictures of each kind that are none.
        ablation_digits: Test digits, and as many of UCI's, read with each step left out.
        nets: For each its name, whether it was trained with distorted digits, errors on the
            ``originals``, the digits ``as_they_are``, ``enlarged``, ``photographed`` and ``uci``;
            ``doubted`` originals, and the ``doubted_errors`` among them; ``accepted``, by kind,
            of pictures that are no digits.
        ablation_net: The network that the steps were left out for.
        ablation: Errors ``enlarged``, ``photographed`` and ``uci``, by the step left out; "" none.
    """

    version: int = VERSION
    command: str
    digits: int
    uci_digits: int
    no_digits: int
    ablation_digits: int
    nets: list[dict[str, Any]]
    ablation_net: str
    ablation: dict[str, dict[str, int]]

    def write(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        records.write_values(path, asdict(self))


def uci() -> tuple[list[Picture], Tensor]:
    """Return scikit-learn's 1,797 UCI digits, smoothly enlarged, and what they are.

    Raises:
        UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UserError(
            "UCI's digits come with scikit-learn: pip install 'mnist_arch[uci]'"
        ) from error
    found = load_digits()
    return [challenges.smoothly_enlarged(each) for each in found.images], torch.tensor(
        found.target
    )


def measure(
    nets: Mapping[str, tuple[Predictor, bool]],
    test: Split,
    command: str,
    *,
    no_digits: int,
    ablation_digits: int,
    ablation_net: str,
) -> Reading:
    """Read test digits, hard and easy, UCI's digits, and pictures that are none, with each net.

    ``nets`` says of each whether it was trained with distorted digits.

    Raises:
        UserError: scikit-learn is not installed.
    """
    draws = np.random.default_rng(SEED)
    originals = [image.numpy() for image in test.images[:, 0]]
    pictures = {
        "as_they_are": originals,
        "enlarged": [challenges.enlarged(image, draws) for image in originals],
        "photographed": [challenges.photographed(image, draws) for image in originals],
    }
    truth = dict.fromkeys(pictures, test.digits)
    pictures["uci"], truth["uci"] = uci()
    found = {name: [prepare(each) for each in some] for name, some in pictures.items()}
    others = {
        name: [prepare(draw(draws)) for _ in range(no_digits)] for name, draw in NO_DIGITS.items()
    }
    several = [
        challenges.several([originals[i] for i in draws.integers(len(originals), size=2)], draws)
        for _ in range(no_digits)
    ]
    others["two digits"] = [prepare(each) for each in several]
    rows = []
    for name, (predictor, distorted) in nets.items():
        with torch.inference_mode():
            scores = torch.cat([predictor(batch) for batch in test.images.split(1000)])
        wrong, doubted = scores.argmax(1) != test.digits, predictor.doubts(scores)
        rows.append(
            {
                "name": name,
                "distorted": distorted,
                "originals": int(wrong.sum()),
                **{each: _errors(predictor, found[each], truth[each]) for each in found},
                "doubted": int(doubted.sum()),
                "doubted_errors": int((doubted & wrong).sum()),
                "accepted": {kind: _accepted(predictor, some) for kind, some in others.items()},
            }
        )
    small = {
        name: pictures[name][:ablation_digits] for name in ("enlarged", "photographed", "uci")
    }
    ablation = {}
    for step in ("", *STEPS):
        steps = replace(ALL_STEPS, **({step: False} if step else {}))
        ablation[step] = {
            name: _errors(nets[ablation_net][0], _prepared(some, steps), truth[name][: len(some)])
            for name, some in small.items()
        }
    return Reading(
        command=command,
        digits=len(originals),
        uci_digits=len(pictures["uci"]),
        no_digits=no_digits,
        ablation_digits=ablation_digits,
        nets=rows,
        ablation_net=ablation_net,
        ablation=ablation,
    )


def _prepared(pictures: Sequence[Picture], steps: Steps) -> list[Prepared]:
    return [prepare(each, steps) for each in pictures]


def _errors(predictor: Predictor, found: Sequence[Prepared], truth: Tensor) -> int:
    """Count the pictures that are misread, doubted or not; one without ink is."""
    answers = predictor.answers(found)
    return sum(a.digit != digit for a, digit in zip(answers, truth.tolist(), strict=True))


def _accepted(predictor: Predictor, found: Sequence[Prepared]) -> int:
    return sum(answer.doubt is None for answer in predictor.answers(found))


def page(reading: Reading) -> str:
    """Write the tables of docs/reading.md."""

    def lost(net: dict[str, Any], name: str) -> str:
        points = 100 * (net["originals"] - net[name]) / reading.digits
        return f"{points:+.2f}"

    def share(part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f} %"

    restored: list[Sequence[str]] = [
        (
            f"`{net['name']}`",
            f"{100 - 100 * net['originals'] / reading.digits:.2f} %",
            *(lost(net, name) for name in ("as_they_are", "enlarged", "photographed")),
            "yes" if net["distorted"] else "no",
            f"{100 - 100 * net['uci'] / reading.uci_digits:.2f} %",
        )
        for net in reading.nets
    ]
    kinds = list(reading.nets[0]["accepted"])
    doubt: list[Sequence[str]] = [
        (
            f"`{net['name']}`",
            share(net["doubted"], reading.digits),
            f"{net['doubted_errors']} of {net['originals']}",
            *(share(net["accepted"][kind], reading.no_digits) for kind in kinds),
        )
        for net in reading.nets
    ]
    whole = reading.ablation[""]
    names = ("enlarged", "photographed", "uci")
    without: list[Sequence[str]] = [("none", *(str(whole[name]) for name in names))]
    without += [
        (title, *(f"{reading.ablation[step][name]}" for name in names))
        for step, title in STEPS.items()
    ]
    return PAGE.format(
        command=reading.command,
        digits=f"{reading.digits:,}",
        uci=f"{reading.uci_digits:,}",
        no_digits=f"{reading.no_digits:,}",
        restored=markdown((RESTORED, restored)),
        net=reading.ablation_net,
        ablation_digits=f"{reading.ablation_digits:,}",
        without=markdown((WITHOUT, without)),
        doubt=markdown((("network", "doubted digits", "errors among them", *kinds), doubt)),
    )


RESTORED = (
    *("network", "originals", "through `prepare`", "enlarged", "photographed"),
    *("distorted in training", "UCI's digits"),
)
WITHOUT = ("step left out", "enlarged", "photographed", "UCI's digits")
PAGE = """# Reading pictures that are not MNIST's

Written by `{command}` from results/reading.json.

`mnist_arch.load(run).predict(picture)` makes of any picture what MNIST would have made of it
(`mnist_arch/inference/preprocess.py`), and gives that to the network. Its constants were set by
eye and trial on digits of MNIST's 60,000, never by its test digits. UCI's were read once before
the last step, sharpening, was added; its strength was set on MNIST's own digits, made bold and
coarse like UCI's.

## What it costs, and real handwriting from elsewhere

The first {digits} MNIST test digits: their accuracy as they are; then by how many points it
changes when they go through `prepare`, when they were enlarged smoothly 4 to 10 times, put
anywhere in a larger picture and every other inverted, and when they were made photographs:
enlarged likewise, as ink on paper in uneven light with a shadow, blurred and noisy. Last,
accuracy on the {uci} digits of UCI's optical recognition set that come with scikit-learn: 8x8
levels, enlarged smoothly.

{restored}

## What each step is worth

Errors of `{net}` of the first {ablation_digits} of each, with one step left out:

{without}

## When it does not answer

A picture is doubted when nothing is written in it, when several signs are, or when the
network's greatest score is below that of 95 % of digits held out of the 60,000 (own recipes: of
a twin of the network, trained without them; `mnist_arch/inference/least_scores.json`). Where
none were held out, a greatest probability below 0.9 is doubt, and `lenet5_1998` doubts where
its own class "none of them" is more probable than every digit. Which test digits that doubts,
how many of the errors are among them, and which share of {no_digits} pictures each that are no
digit is accepted without doubt:

{doubt}

A digit reader that has never seen a letter takes many for digits: where letters can occur, doubt
is no sufficient guard. The photographs are textures made by a program.
"""
