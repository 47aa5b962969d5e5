"""A trained network that classifies pictures, and flags doubtful ones."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from typing_extensions import TypeIs

from mnist_arch.data.batches import EVALUATION_BATCH
from mnist_arch.errors import UserError
from mnist_arch.inference import pictures
from mnist_arch.inference.preprocess import BLANK, Prepared, prepare, prepare_each
from mnist_arch.models.network import Network
from mnist_arch.progress import progress
from mnist_arch.runs import checkpoint, shipped
from mnist_arch.runs.scoring import scores_of

LEAST_SCORES = Path(__file__).with_name("least_scores.json")
DOUBTED = 0.05  # share of validation digits that are doubtful: those of the least confidence
DOUBTED_BY_READER = 0.03  # fewer, as it knows letters
USUAL_PROBABILITY = 0.9  # a lower top probability is doubtful, where no threshold was measured
CHANNELS = (1, 3, 4)  # grey, RGB, RGBA

# A path, a file's bytes or an open file, a Pillow image, pixel values.
Picture = pictures.Source | IO[bytes] | NDArray[np.generic] | Tensor


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

    def __repr__(self) -> str:
        if self.digit is None:
            return f"Answer({self.sign!r})" if self.sign else f"Answer(None; {self.doubt})"
        doubt = f"; doubtful: {self.doubt}" if self.doubt else ""
        return (
            f"Answer({self.digit}, {100 * self.probability:.1f} %; else {self.runner_up}, "
            f"{100 * self.runner_up_probability:.1f} %{doubt})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all but the image as plain values, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "image"}
        return plain | {"box": list(self.box)}


class Number(list[Answer]):
    """The signs of a number from left to right; each has its place, `Answer.box`.

    >>> Reader().predict_number("date.png")
    Number('12/05')
    """

    @property
    def text(self) -> str:
        """The number, with slashes, dots, commas and dashes; empty where nothing is written."""
        return "".join(answer.text for answer in self)

    @property
    def doubt(self) -> str | None:
        """Why it is unreliable, sign by sign; None if it is not."""
        doubts = [f"{each.text}: {each.doubt}" for each in self if each.doubt]
        return "; ".join(doubts) or None

    def __repr__(self) -> str:
        return f"Number({self.text!r}{f'; doubtful: {self.doubt}' if self.doubt else ''})"


class Predictor:
    """A network that classifies pictures, and the confidence below which an answer is doubtful.

    ``least_score`` is that of the network's head (`Head.confidence`), measured on validation
    digits; docs/reading.md tells how much that detects. Without one an answer is doubtful whose
    top probability is below USUAL_PROBABILITY.
    """

    def __init__(self, net: Network, least_score: float | None = None) -> None:
        self.net, self.least_score = net.eval(), least_score

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores; the greatest wins."""
        return self.net(images)

    @overload
    def predict(self, picture: Picture) -> Answer: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, picture: Iterable[Picture]) -> list[Answer]: ...

    def predict(self, picture: Picture | Iterable[Picture]) -> Answer | list[Answer]:
        """Classify a digit in a picture, or in each of several.

        Args:
            picture: A path, a file's bytes, an open file or a Pillow image; or pixel values from 0
                to 255: numpy's (H, W), (H, W, 3) or (H, W, 4), torch's (H, W) or (1 or 3, H, W).
                A list or a generator of these, or a batch with one more dimension, gives a list of
                answers; on a terminal a bar shows how many there are after two seconds.

        Raises:
            UserError: It is no readable picture.
        """
        if is_one(picture):
            return self.answers([prepare(pixels(picture))])[0]
        waiting = progress(enumerate(picture), "pictures")
        answers: list[Answer] = []
        while part := [_prepared(*each) for each in islice(waiting, EVALUATION_BATCH)]:
            answers += self.answers(part)
        return answers

    def predict_number(self, picture: Picture) -> Number:
        """Classify the digits and signs in one picture, from left to right; none in a blank one.

        Raises:
            UserError: It is no readable picture.
        """
        return Number(self.answers(prepare_each(pixels(picture))))

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
        head = self.net.head
        if self.least_score is not None:
            return head.confidence(scores) < self.least_score
        return head.probabilities(scores).amax(1) < USUAL_PROBABILITY


class Reader(Predictor):
    """The network of this library that reads strangers' digits best, with the package's weights.

    >>> Reader().predict("photo.jpg").digit

    It is `models.batchnorm_cnn` with a class "none of them", trained by
    conf/experiment/reader.yaml on MNIST's training digits, on digits of other hands and papers,
    and on letters, signs and scribbles; docs/reading.md has what it reads and what it doubts.
    """

    def __init__(self) -> None:
        reader = load(shipped.FOLDER / shipped.READER)
        super().__init__(reader.net, reader.least_score)


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


def least_score(net: Network, images: Tensor, share: float = DOUBTED) -> float:
    """(N, 1, 28, 28) validation digits -> what the confidence of a share of them is below."""
    return float(net.head.confidence(scores_of(net, images)).quantile(share))


def is_one(picture: Picture | Iterable[Picture]) -> TypeIs[Picture]:
    """Tell one picture from several."""
    if isinstance(picture, (Tensor, np.ndarray)):
        return picture.ndim < 4
    kinds = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)
    return isinstance(picture, kinds) or hasattr(picture, "read") or not np.iterable(picture)


def _prepared(number: int, picture: Picture) -> Prepared:
    """Prepare one of several, and say which it is if it cannot be read."""
    try:
        return prepare(pixels(picture))
    except UserError as error:
        named = isinstance(picture, (str, os.PathLike))
        raise UserError(f"{error}" if named else f"number {number} (from 0): {error}") from error


def pixels(picture: Picture) -> NDArray[np.generic]:
    """Return the (H, W) pixel values of any picture.

    Raises:
        UserError: It is no readable picture.
    """
    if isinstance(picture, Tensor):
        if picture.is_meta or picture.is_complex():
            raise UserError(f"no pixel values in a tensor of {picture.dtype} on {picture.device}")
        dense = picture.detach().cpu().to_dense()
        values = (dense.float() if dense.is_floating_point() else dense).numpy()
        # As torch has them, the channels come first, unless only the last dimension can be them.
        if values.ndim == 3 and len(values) in CHANNELS:
            values = np.moveaxis(values, 0, 2)
        return _grey(values)
    if isinstance(picture, np.ndarray):
        lasts = picture.ndim == 3 and picture.shape[2] in CHANNELS
        firsts = picture.ndim == 3 and not lasts and len(picture) in CHANNELS
        return _grey(np.moveaxis(picture, 0, 2) if firsts else picture)
    if isinstance(picture, (str, os.PathLike)):
        return pictures.read(Path(picture))
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return pictures.read(bytes(picture))
    if isinstance(picture, Image.Image):
        return pictures.read(picture)
    if not hasattr(picture, "read"):
        raise UserError(f"no picture but {type(picture).__name__}; give a path, bytes or pixels")
    content = picture.read(pictures.MOST_BYTES + 1)  # one byte more tells that there are too many
    if not isinstance(content, bytes):
        raise UserError("a file opened as text; open a picture with mode 'rb'")
    return pictures.read(content, str(getattr(picture, "name", "picture")))


def _grey(values: NDArray[Any]) -> NDArray[Any]:
    """(H, W) or (H, W, C) pixel values -> (H, W), as of a picture file with these pixels."""
    numbers = values.dtype.kind in "uif" and values.dtype != np.uint16 and values.size
    if numbers and 0 < (greatest := values.max()) <= 1:
        raise UserError(
            f"a picture with pixel values from {values.min():g} to {greatest:g}: expected 0 to "
            "255; multiply it by 255"
        )
    if values.ndim != 3 or values.shape[2] not in CHANNELS or not values.size:
        return values
    if values.shape[2] == 1:
        return values[:, :, 0]
    if values.dtype == np.bool_:
        values = values * np.uint8(255)
    elif values.dtype == np.uint16:
        values = values / 257
    elif values.dtype.kind not in "uif" or not (values.min() >= 0 and values.max() <= 255):
        raise UserError(f"a picture in colour of {values.dtype}: expected values from 0 to 255")
    return pictures.read(Image.fromarray(np.rint(values).astype(np.uint8)))
