"""How well pictures are classified that are not MNIST's: measured, one record a run."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mnist_arch.analysis import challenges, kinds
from mnist_arch.analysis.ablation import ABLATIONS, ALL
from mnist_arch.analysis.challenges import Picture
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError
from mnist_arch.inference.predictor import Number, Predictor, load, pixels
from mnist_arch.inference.preprocess import Prepared, Preprocessor, prepare_each
from mnist_arch.progress import progress
from mnist_arch.runs import records
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record
from mnist_arch.runs.scoring import scores_of
from mnist_arch.runs.shipped import known_as

SEED = 0  # draws every picture
OTHERS = 200  # pictures of each kind that is no digit
OF_A_KIND = 100  # pictures of each kind of paper, held out
CHANGED = ("as_they_are", "enlarged", "photographed")  # test digits, as pictures
NO_DIGITS: dict[str, Callable[[Generator], Picture]] = {
    "blank paper": challenges.blank,
    "noise": challenges.noise,
    "photographs": challenges.photograph,
    "scribbles": challenges.scribble,
    "signs": challenges.sign,
    "letters": challenges.letter,
    "written letters": challenges.written_letter,
    "O, I, l, S, Z and such": challenges.lookalike,
}


@dataclass(frozen=True, kw_only=True)
class ExternalValidity:
    """The record of how a run's network classifies pictures; counts are of images.

    Attributes:
        version: Of this format.
        name: Of the run's folder.
        run: The run's command, commit, architecture, recipe, variant, label and precision.
        augmented: Whether it was trained with augmentation.
        digits: Test digits classified.
        originals: Errors on them.
        errors: On the same, put through `prepare` ``as_they_are``, ``enlarged`` or
            ``photographed``, and on ``uci``'s.
        uci_digits: Of UCI's optical digits.
        doubted: Original test digits for which the answer is doubtful.
        doubted_errors: Errors among these.
        no_digits: Pictures of each kind that show none, or two.
        accepted: Of these not doubted, by kind.
        ablation_digits: The first digits of each kind, classified with a step left out; 0: none.
        ablation: Their errors ``enlarged``, ``photographed`` and ``uci``, by the step; "" none.
        of_a_kind: Pictures of each kind of paper, and numbers of each form.
        kinds: Of these, by kind, how many are misread, and how many of them without doubt.
        provenance: What made it; its command repeats it from the same run.
    """

    version: int = 2
    name: str
    run: dict[str, Any]
    augmented: bool
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
    provenance: Provenance
    of_a_kind: int = 0
    kinds: dict[str, list[int]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))


@dataclass(frozen=True, eq=False)
class Challenge:
    """Pictures to be classified, prepared once for all networks.

    Attributes:
        pictures: Of digits, by kind.
        truth: (N,) the digit of each.
        prepared: What `prepare` returns for each.
        no_digits: What it returns for pictures that show none, or two, by kind.
        texts: What is written on pictures of each kind of paper.
        kinds: The signs of each of these.
    """

    pictures: dict[str, list[Picture]]
    truth: dict[str, Tensor]
    prepared: dict[str, list[Prepared]]
    no_digits: dict[str, list[Prepared]]
    texts: dict[str, list[str]]
    kinds: dict[str, list[list[Prepared]]]


def uci() -> tuple[list[Picture], Tensor]:
    """Return scikit-learn's 1,797 UCI digits, smoothly enlarged, and their labels.

    Raises:
        UserError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UserError(
            "UCI's digits come with scikit-learn: pip install 'mnist_arch[reading]'"
        ) from error
    digits = load_digits()
    pictures = [challenges.smoothly_enlarged(values) for values in digits.images]
    return pictures, torch.tensor(digits.target)


def challenge(data: Dataset, no_digits: int = OTHERS, of_a_kind: int = OF_A_KIND) -> Challenge:
    """Draw and prepare pictures of test digits, of UCI's, of no digits, and by kind of paper.

    Raises:
        UserError: scikit-learn is not installed.
    """
    draws = np.random.default_rng(SEED)
    test = data.test
    originals = [image.numpy() for image in test.images[:, 0]]
    pictures = {
        "as_they_are": originals,
        "enlarged": [
            challenges.enlarged(image, draws) for image in progress(originals, "enlarge")
        ],
        "photographed": [
            challenges.photographed(image, draws) for image in progress(originals, "photograph")
        ],
    }
    truth = dict.fromkeys(pictures, test.labels)
    pictures["uci"], truth["uci"] = uci()
    others = {name: [draw(draws) for _ in range(no_digits)] for name, draw in NO_DIGITS.items()}
    others["two digits"] = [
        challenges.several([originals[i] for i in draws.integers(len(originals), size=2)], draws)
        for _ in range(no_digits)
    ]
    texts, signs = {}, {}
    for kind in (*kinds.DIGITS, *kinds.NUMBERS):
        some, texts[kind] = kinds.held_out(kind, of_a_kind, data.test)
        values = [pixels(Image.fromarray(each)) for each in some]
        if kind in kinds.NUMBERS:
            signs[kind] = [prepare_each(each) for each in values]
        else:
            signs[kind] = [[each] for each in _prepared(values, kind)]
    return Challenge(
        pictures,
        truth,
        {name: _prepared(some, name) for name, some in pictures.items()},
        {name: _prepared(some, name) for name, some in others.items()},
        texts,
        signs,
    )


def identity(record: Record) -> dict[str, Any]:
    """Return what tells a run from others, as `ExternalValidity.run` keeps it."""
    origin = {"command": record.provenance.command, "commit": record.provenance.commit}
    names = ("architecture", "recipe", "variant", "label", "precision")
    return origin | {name: getattr(record, name) for name in names}


def measure(
    folder: Path, data: Dataset, challenge: Challenge, *, ablation_digits: int = 0
) -> ExternalValidity:
    """Classify all pictures with a run's network, and so many of them with each step left out.

    Raises:
        UserError: It is no finished run, or of other data.
    """
    record, predictor = records.read(folder), load(folder)
    if record.provenance.data_sha256 != data.sha256:
        raise UserError(f"{folder}: not a run on {data.title}")
    scores = scores_of(predictor.net, data.test.images)
    wrong, doubted = scores.argmax(1) != data.test.labels, predictor.doubts(scores)
    steps = {"": ALL} | {key: each.preprocessor for key, each in ABLATIONS.items()}
    ablation: dict[str, dict[str, int]] = {}
    for step, preprocessor in steps.items() if ablation_digits else ():
        ablation[step] = {}
        for kind in ("enlarged", "photographed", "uci"):
            some = challenge.pictures[kind][:ablation_digits]
            prepared = _prepared(some, f"{kind} without {step or 'nothing'}", preprocessor)
            truth = challenge.truth[kind][:ablation_digits]
            ablation[step][kind] = _errors(predictor, prepared, truth)
    name = known_as(folder)
    words = ["python", "-m", "experiments.reading", name]
    words += ["--ablation", name] if ablation else []
    return ExternalValidity(
        name=folder.resolve().name,
        run=identity(record),
        augmented="recipe.augmentation._target_" in record.config,
        digits=len(wrong),
        originals=int(wrong.sum()),
        errors={
            kind: _errors(predictor, some, challenge.truth[kind])
            for kind, some in challenge.prepared.items()
        },
        uci_digits=len(challenge.truth["uci"]),
        doubted=int(doubted.sum()),
        doubted_errors=int((doubted & wrong).sum()),
        no_digits=len(challenge.no_digits["letters"]),
        accepted={
            kind: sum(answer.doubt is None for answer in predictor.answers(some))
            for kind, some in challenge.no_digits.items()
        },
        ablation_digits=ablation_digits,
        ablation=ablation,
        # Records change beside the code.
        provenance=Provenance.of(shlex.join(words), data.sha256),
        of_a_kind=len(challenge.texts["plain"]),
        kinds={
            kind: _misread(predictor, signs, challenge.texts[kind])
            for kind, signs in challenge.kinds.items()
        },
    )


def _prepared(
    pictures: Sequence[NDArray[Any]], name: str, preprocessor: Preprocessor = ALL
) -> list[Prepared]:
    return [preprocessor.prepare(each) for each in progress(pictures, f"prepare {name}")]


def _errors(predictor: Predictor, prepared: Sequence[Prepared], truth: Tensor) -> int:
    """Count the misclassified pictures, doubted or not; one without ink is misclassified."""
    answers = predictor.answers(prepared)
    return sum(a.digit != digit for a, digit in zip(answers, truth.tolist(), strict=True))


def _misread(
    predictor: Predictor, pictures: Sequence[Sequence[Prepared]], texts: Sequence[str]
) -> list[int]:
    """Count the pictures that are misread, and those of them that are not doubted."""
    misread = undoubted = 0
    for signs, text in zip(pictures, texts, strict=True):
        number = Number(predictor.answers(signs))
        misread += number.text != text
        undoubted += number.text != text and not number.doubt
    return [misread, undoubted]
