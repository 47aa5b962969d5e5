"""A trained network that classifies pictures, and flags doubtful ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_arch.errors import UserError
from mnist_arch.inference import pictures
from mnist_arch.inference.preprocess import BLANK, Prepared, prepare, prepare_each
from mnist_arch.models.heads import RadialBasis
from mnist_arch.models.network import Network
from mnist_arch.runs import checkpoint
from mnist_arch.runs.scoring import scores_of

LEAST_SCORES = Path(__file__).with_name("least_scores.json")
DOUBTED = 0.05  # share of validation digits that are doubtful: those with the lowest top scores
USUAL_PROBABILITY = 0.9  # a lower top probability is doubtful, where no threshold was measured

Picture = pictures.Source | NDArray[np.generic] | Tensor


@dataclass(frozen=True, eq=False)
class Answer:
    """How a network classifies a picture.

    Attributes:
        digit: The most probable one; None for a blank picture, and for a sign that is no digit.
        probability: Its probability, as the network's head defines it.
        runner_up: The second most probable digit; None for a blank picture.
        runner_up_probability: Its probability.
        probabilities: Of the digits 0 to 9; all 0 for a blank picture.
        doubt: Why the answer is unreliable; None if it is not.
        image: (28, 28) uint8 pixel values that the network saw.
        box: Top, left, bottom, right of the ink in the picture, pixels, the last two exclusive.
        sign: What stands there in a number if it is no digit: "/", ".", "," or "-".
    """

    digit: int | None
    probability: float
    runner_up: int | None
    runner_up_probability: float
    probabilities: list[float]
    doubt: str | None
    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    sign: str | None = None

    @property
    def text(self) -> str:
        """The digit or the sign; empty for a blank picture."""
        return self.sign or ("" if self.digit is None else str(self.digit))


class Predictor:
    """A network that classifies pictures, and the top score below which an answer is doubtful.

    A low top score means that the picture resembles no digit, which a softmax hides;
    docs/reading.md tells how much that detects. Without a ``least_score`` an answer is doubtful
    whose top probability is below USUAL_PROBABILITY; for the network of 1998, one that its own
    class "none of them" surpasses.
    """

    def __init__(self, net: Network, least_score: float | None = None) -> None:
        self.net, self.least_score = net.eval(), least_score

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores; the greatest wins."""
        return self.net(images)

    def predict(self, picture: Picture) -> Answer:
        """Classify one digit: a path, a file's bytes, a Pillow image, or (H, W) pixel values.

        Raises:
            UserError: It is no readable picture.
        """
        return self.answers([prepare(pixels(picture))])[0]

    def predict_number(self, picture: Picture) -> list[Answer]:
        """Classify the digits in one picture, from left to right; none in a blank one.

        Slashes, dots, commas and dashes are among them; the ``text`` of all is the number.

        Raises:
            UserError: It is no readable picture.
        """
        return self.answers(prepare_each(pixels(picture)))

    def answers(self, prepared: Sequence[Prepared]) -> list[Answer]:
        """Classify pictures that `prepare` returned."""
        if not prepared:
            return []
        images = torch.from_numpy(np.stack([each.image for each in prepared]))[:, None]
        scores = scores_of(self.net, images)
        probabilities = self.net.head.probabilities(scores)
        rows = zip(prepared, probabilities, self.doubts(scores).tolist(), strict=True)
        return [_answer(*row) for row in rows]

    def doubts(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N,) whether each answer is doubtful."""
        if self.least_score is not None:
            return scores.amax(1) < self.least_score
        head = self.net.head
        if isinstance(head, RadialBasis):
            return head.factor * scores.amax(1) < -head.j
        return head.probabilities(scores).amax(1) < USUAL_PROBABILITY


def _answer(prepared: Prepared, probabilities: Tensor, doubtful: bool) -> Answer:
    nothing = Answer(None, 0.0, None, 0.0, [0.0] * 10, None, prepared.image, prepared.box)
    if BLANK in prepared.doubts:
        return replace(nothing, doubt=BLANK)
    if prepared.sign is not None:
        return replace(nothing, sign=prepared.sign, doubt="; ".join(prepared.doubts) or None)
    doubts = [*prepared.doubts, *(["like no digit it knows"] if doubtful else [])]
    (digit, runner_up), ten = probabilities.topk(2).indices.tolist(), probabilities.tolist()
    return Answer(
        digit=digit,
        probability=ten[digit],
        runner_up=runner_up,
        runner_up_probability=ten[runner_up],
        probabilities=ten,
        doubt="; ".join(doubts) or None,
        image=prepared.image,
        box=prepared.box,
    )


def load(path: Path) -> Predictor:
    """Load a trained network and its least score; see `mnist_arch.load`."""
    return from_checkpoint(checkpoint.read(path), path)


def from_checkpoint(content: dict[str, Any], path: Path) -> Predictor:
    """Make a predictor from what `checkpoint.read` returned for a path.

    Raises:
        UserError: The weights are not those of the network named there.
    """
    metadata = content["mnist_arch"]
    least_score = measured(metadata["architecture"], metadata.get("recipe"))
    return Predictor(checkpoint.network(content, path), least_score)


def measured(architecture: str, recipe: str | None) -> float | None:
    """Return the least score measured for a network trained by a recipe, None if there is none."""
    scores: dict[str, float] = json.loads(LEAST_SCORES.read_text())
    return scores.get(f"{architecture}, {recipe}")


def least_score(net: Network, images: Tensor) -> float:
    """(N, 1, 28, 28) validation digits -> the score that DOUBTED of their top scores are below."""
    return float(scores_of(net, images).amax(1).quantile(DOUBTED))


def pixels(picture: Picture) -> NDArray[np.generic]:
    """Return the (H, W) pixel values of any picture; arrays and tensors may be (1, H, W).

    Raises:
        UserError: It is no readable picture.
    """
    if isinstance(picture, Tensor):
        if picture.is_meta or picture.is_complex():
            raise UserError(f"no pixel values in a tensor of {picture.dtype} on {picture.device}")
        dense = picture.detach().cpu().to_dense()
        picture = (dense.float() if dense.is_floating_point() else dense).numpy()
    if not isinstance(picture, np.ndarray):
        return pictures.read(picture)
    return picture[0] if picture.ndim == 3 and len(picture) == 1 else picture
