"""A trained network that reads pictures, and says when it doubts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_arch.inference import pictures
from mnist_arch.inference.preprocess import BLANK, Prepared, prepare, prepare_each
from mnist_arch.models.heads import RadialBasis
from mnist_arch.models.network import Network
from mnist_arch.runs import checkpoint

LEAST_SCORES = Path(__file__).with_name("least_scores.json")
DOUBTED = 0.05  # of held-out digits: those whose greatest score is the lowest
USUAL_PROBABILITY = 0.9  # below it is doubt, where no digits were held out to measure by

Picture = pictures.Source | NDArray[np.generic] | Tensor


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network reads in a picture.

    Attributes:
        digit: The most probable one; None in a blank picture.
        probability: Of that digit, as the network's head defines it.
        runner_up: The digit next to it; None in a blank picture.
        runner_up_probability: Of that one.
        probabilities: Of the digits 0 to 9; all 0 in a blank picture.
        doubt: Why the answer should not be relied on; None if it may be.
        image: (28, 28) uint8 pixel levels that the network saw.
    """

    digit: int | None
    probability: float
    runner_up: int | None
    runner_up_probability: float
    probabilities: list[float]
    doubt: str | None
    image: NDArray[np.uint8]


class Predictor:
    """A network that reads pictures, and the greatest score below which it doubts.

    A low greatest score says that the picture is like no digit, which a softmax hides. What that
    keeps out, and what not, is in docs/reading.md.
    ``least_score`` None stands for a greatest probability of USUAL_PROBABILITY; the network of
    1998 doubts where its own class "none of them" is more probable than any digit.
    """

    def __init__(self, net: Network, least_score: float | None = None) -> None:
        self.net, self.least_score = net.eval(), least_score

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores; the greatest wins."""
        return self.net(images)

    def predict(self, picture: Picture) -> Answer:
        """Read one digit: a path, a file's bytes, a Pillow image, or (H, W) grey levels.

        Raises:
            UserError: It is no readable picture.
        """
        return self.answers([prepare(levels(picture))])[0]

    def predict_number(self, picture: Picture) -> list[Answer]:
        """Read several digits in one picture, from left to right; none in a blank one.

        Raises:
            UserError: It is no readable picture.
        """
        return self.answers(prepare_each(levels(picture)))

    def answers(self, found: Sequence[Prepared]) -> list[Answer]:
        """Read what `prepare` made of some pictures."""
        if not found:
            return []
        images = torch.from_numpy(np.stack([each.image for each in found]))[:, None]
        with torch.inference_mode():
            scores = torch.cat([self.net(batch) for batch in images.split(1000)])
        probabilities = self.net.head.probabilities(scores)
        rows = zip(found, probabilities, self.doubts(scores).tolist(), strict=True)
        return [_answer(*row) for row in rows]

    def doubts(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N,) whether the network says that it may be no digit."""
        if self.least_score is not None:
            return scores.amax(1) < self.least_score
        head = self.net.head
        if isinstance(head, RadialBasis):
            return scores.amax(1) < -head.j
        return head.probabilities(scores).amax(1) < USUAL_PROBABILITY


def _answer(found: Prepared, probabilities: Tensor, doubtful: bool) -> Answer:
    if BLANK in found.doubts:
        return Answer(None, 0.0, None, 0.0, [0.0] * 10, BLANK, found.image)
    doubts = [*found.doubts, *(["like no digit it knows"] if doubtful else [])]
    (digit, runner_up), ten = probabilities.topk(2).indices.tolist(), probabilities.tolist()
    return Answer(
        digit=digit,
        probability=ten[digit],
        runner_up=runner_up,
        runner_up_probability=ten[runner_up],
        probabilities=ten,
        doubt="; ".join(doubts) or None,
        image=found.image,
    )


def load(path: Path) -> Predictor:
    """Load a trained network and its measure of doubt; see `mnist_arch.load`."""
    return from_checkpoint(checkpoint.read(path), path)


def from_checkpoint(content: dict[str, Any], path: Path) -> Predictor:
    """Make a predictor of what `checkpoint.read` found at a path.

    Raises:
        UserError: The weights are not those of the network that is named there.
    """
    card = content["mnist_arch"]
    least_score = measured(card["architecture"], card.get("recipe"))
    return Predictor(checkpoint.network(content, path), least_score)


def measured(architecture: str, recipe: str | None) -> float | None:
    """Return the least score measured for a network trained by a recipe, None if there is none."""
    found: dict[str, float] = json.loads(LEAST_SCORES.read_text())
    return found.get(f"{architecture}, {recipe}")


def least_score(net: Network, images: Tensor) -> float:
    """(N, 1, 28, 28) digits held out of training -> the score that DOUBTED of them stay below."""
    with torch.inference_mode():
        greatest = torch.cat([net(batch).amax(1) for batch in images.split(1000)])
    return float(greatest.quantile(DOUBTED))


def levels(picture: Picture) -> NDArray[np.generic]:
    """Return the (H, W) grey levels of any picture; arrays and tensors may be (1, H, W).

    Raises:
        UserError: It is no readable picture.
    """
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu().numpy()
    if not isinstance(picture, np.ndarray):
        return pictures.read(picture)
    return picture[0] if picture.ndim == 3 and len(picture) == 1 else picture
