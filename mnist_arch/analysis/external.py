"""How well pictures are read that are not MNIST's: measured, recorded, and written as a page."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from tqdm import tqdm

from mnist_arch.analysis import challenges
from mnist_arch.analysis.challenges import Picture
from mnist_arch.data.sources import Dataset
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference.predictor import Predictor, load
from mnist_arch.inference.preprocess import ALL_STEPS, Prepared, Steps, prepare
from mnist_arch.models import blank
from mnist_arch.reports.results import markdown
from mnist_arch.runs import provenance, records
from mnist_arch.runs.records import Record

VERSION = 1
SEED = 0  # draws every picture
OTHERS = 200  # pictures of each kind that is no digit
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
    """The record of how a run's network reads pictures; counts are of images.

    Attributes:
        version: Of this format.
        command: A command that repeats it from the same run.
        name: Of the run's folder.
        run: The run's command, commit, architecture and recipe.
        distorted: Whether it was trained with distorted digits.
        data_sha256: Of each file that the test digits were read from, uncompressed.
        digits: Test digits read.
        originals: Errors on them.
        errors: On the same, put through `prepare` ``as_they_are``, ``enlarged`` or
            ``photographed``, and on ``uci``'s.
        uci_digits: Of UCI's optical digits.
        doubted: Original test digits that the network doubts.
        doubted_errors: Errors among these.
        no_digits: Pictures of each kind that show none, or two.
        accepted: Of these not doubted, by kind.
        ablation_digits: The first digits of each kind, read with a step left out; 0: not measured.
        ablation: Their errors ``enlarged``, ``photographed`` and ``uci``, by the step; "" none.
        versions: Of Python and the libraries.
        commit: Of the code that read them, None outside a checkout.
        dirty: Whether mnist_arch in that checkout had uncommitted changes.
    """

    version: int = VERSION
    command: str
    name: str
    run: dict[str, Any]
    distorted: bool
    data_sha256: dict[str, str]
    digits: int
    originals: int
    errors: dict[str, int]
    uci_digits: int
    doubted: int
    doubted_errors: int
    no_digits: int
    accepted: dict[str, int]
    ablation_digits: int
    ablation: dict[str, dict[str, int]]
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None

    @property
    def title(self) -> str:
        """The network, and its recipe when that is not its own."""
        architecture, recipe = self.run["architecture"], self.run["recipe"]
        return f"`{architecture}`" + (f", {recipe}" if recipe != architecture else "")


@dataclass(frozen=True, eq=False)
class Challenge:
    """Pictures to be read, prepared once for all networks.

    Attributes:
        pictures: Of digits, by kind.
        truth: (N,) the digit of each.
        prepared: What `prepare` makes of each.
        no_digits: What it makes of pictures that show none, or two, by kind.
    """

    pictures: dict[str, list[Picture]]
    truth: dict[str, Tensor]
    prepared: dict[str, list[Prepared]]
    no_digits: dict[str, list[Prepared]]


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


def challenge(test: Split, no_digits: int = OTHERS) -> Challenge:
    """Make and prepare pictures of test digits, hard and easy, of UCI's, and of no digits.

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
    truth = dict.fromkeys(pictures, test.labels)
    pictures["uci"], truth["uci"] = uci()
    others = {name: [draw(draws) for _ in range(no_digits)] for name, draw in NO_DIGITS.items()}
    others["two digits"] = [
        challenges.several([originals[i] for i in draws.integers(len(originals), size=2)], draws)
        for _ in range(no_digits)
    ]
    return Challenge(
        pictures,
        truth,
        {name: _prepared(some, name) for name, some in pictures.items()},
        {name: _prepared(some, name) for name, some in others.items()},
    )


def identity(record: Record) -> dict[str, Any]:
    """Return what tells a run from others, as a reading keeps it."""
    return {
        name: getattr(record, name) for name in ("command", "commit", "architecture", "recipe")
    }


def measure(folder: Path, data: Dataset, given: Challenge, *, ablation_digits: int = 0) -> Reading:
    """Read all pictures with a run's network, and so many of them with each step left out.

    Raises:
        UserError: It is no finished run, or of other data.
    """
    record, predictor = records.read(folder), load(folder)
    if record.data_sha256 != data.sha256:
        raise UserError(f"{folder}: not a run on {data.title}")
    with torch.inference_mode():
        scores = torch.cat([predictor(batch) for batch in data.test.images.split(1000)])
    wrong, doubted = scores.argmax(1) != data.test.labels, predictor.doubts(scores)
    ablation: dict[str, dict[str, int]] = {}
    for step in ("", *STEPS) if ablation_digits else ():
        steps = replace(ALL_STEPS, **({step: False} if step else {}))
        ablation[step] = {}
        for name in ("enlarged", "photographed", "uci"):
            some = given.pictures[name][:ablation_digits]
            left = _prepared(some, f"{name} without {step or 'nothing'}", steps)
            ablation[step][name] = _errors(predictor, left, given.truth[name][:ablation_digits])
    commit, dirty = provenance.commit(":/mnist_arch")  # records change beside the code
    words = ["--ablation", str(folder)] if ablation else []
    return Reading(
        command=shlex.join(["python", "-m", "experiments.reading", str(folder), *words]),
        name=folder.resolve().name,
        run=identity(record),
        distorted="recipe.augmentation._target_" in record.config,
        data_sha256=data.sha256,
        digits=len(wrong),
        originals=int(wrong.sum()),
        errors={
            name: _errors(predictor, some, given.truth[name])
            for name, some in given.prepared.items()
        },
        uci_digits=len(given.truth["uci"]),
        doubted=int(doubted.sum()),
        doubted_errors=int((doubted & wrong).sum()),
        no_digits=len(given.no_digits["letters"]),
        accepted={
            kind: sum(answer.doubt is None for answer in predictor.answers(some))
            for kind, some in given.no_digits.items()
        },
        ablation_digits=ablation_digits,
        ablation=ablation,
        versions=provenance.versions(),
        commit=commit,
        dirty=dirty,
    )


def _prepared(pictures: Sequence[Picture], name: str, steps: Steps = ALL_STEPS) -> list[Prepared]:
    shown = tqdm(pictures, desc=f"prepare {name}", unit="", dynamic_ncols=True, leave=False)
    return [prepare(each, steps) for each in shown]


def _errors(predictor: Predictor, found: Sequence[Prepared], truth: Tensor) -> int:
    """Count the pictures that are misread, doubted or not; one without ink is."""
    answers = predictor.answers(found)
    return sum(a.digit != digit for a, digit in zip(answers, truth.tolist(), strict=True))


def page(found: Sequence[Reading]) -> str:
    """Write docs/reading.md from the records of some runs, at least one with an ablation."""
    found = sorted(
        found, key=lambda each: (blank(each.run["architecture"]).parameter_count, each.title)
    )
    first = found[0]
    kinds = [*first.accepted]
    restored: list[Sequence[str]] = [
        (
            each.title,
            _percent(each.digits - each.originals, each.digits),
            *(
                f"{100 * (each.originals - each.errors[name]) / each.digits:+.2f}"
                for name in ("as_they_are", "enlarged", "photographed")
            ),
            "yes" if each.distorted else "no",
            _percent(each.uci_digits - each.errors["uci"], each.uci_digits),
        )
        for each in found
    ]
    doubt: list[Sequence[str]] = [
        (
            each.title,
            f"{100 * each.doubted / each.digits:.1f} %",
            f"{each.doubted_errors} of {each.originals}",
            *(f"{100 * each.accepted[kind] / each.no_digits:.1f} %" for kind in kinds),
        )
        for each in found
    ]
    whole = next(each for each in found if each.ablation)
    without: list[Sequence[str]] = [
        (STEPS.get(step, "none"), *(str(errors) for errors in by_kind.values()))
        for step, by_kind in whole.ablation.items()
    ]
    return PAGE.format(
        digits=f"{first.digits:,}",
        uci=f"{first.uci_digits:,}",
        no_digits=f"{first.no_digits:,}",
        restored=markdown((RESTORED, restored)),
        net=whole.title,
        ablation_digits=f"{whole.ablation_digits:,}",
        without=markdown((WITHOUT, without)),
        doubt=markdown((("network", "doubted digits", "errors among them", *kinds), doubt)),
    )


def _percent(right: int, of: int) -> str:
    return f"{100 * right / of:.2f} %"


RESTORED = (
    *("network", "originals", "through `prepare`", "enlarged", "photographed"),
    *("distorted in training", "UCI's digits"),
)
WITHOUT = ("step left out", "enlarged", "photographed", "UCI's digits")
PAGE = """# Reading pictures that are not MNIST's

Written by `python -m experiments.reading` from the records in
[results/reading](../results/reading).

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

Errors of {net} on the first {ablation_digits} of each, with one step left out:

{without}

## When it does not answer

A picture is doubted when nothing is written in it, when several signs are, or when the
network's greatest score is below that of 95 % of digits held out of the 60,000 (own recipes: of
a twin of the network, trained without them; `mnist_arch/inference/least_scores.json`). Where
none were held out, a greatest probability below 0.9 is doubt; `lenet5_1998` then doubts where
its own class "none of them" is more probable than every digit, which by its own recipe it always
is. Which test digits that doubts, how many of the errors are among them, and which share of
{no_digits} pictures each that are no digit is accepted without doubt:

{doubt}

A digit reader that has never seen a letter takes many for digits: where letters can occur, doubt
is no sufficient guard. The photographs are textures made by a program.
"""
