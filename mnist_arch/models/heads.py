"""What the ten scores of a network mean: the one place for losses and probabilities.

A head is a likelihood, not a layer: the layers of a network end in scores, and its head says what
these say about the classes.

Keras, where it takes the logarithm of a probability (on PyTorch and JAX), first clips it to
[1e-7, 1 - 1e-7]: the loss of an image is at most 16.12, and beyond that it has zero gradient. Ours
is not clipped.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

NONE = 10  # the label of what is no digit, which only a head with such a class is trained with


class Head(Protocol):
    """The meaning of (N, 10) scores."""

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """(N, 10) scores and (N,) int64 labels -> the mean loss, a scalar."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N, 10) probabilities; what is missing to 1 is rejection."""

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N, 10) logarithms of the same, scaled to sum to 1."""

    def confidence(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N,) how sure the answers are; only comparisons mean anything."""


@dataclass(frozen=True)
class Softmax:
    """Scores are logits of a softmax: cross-entropy; ten probabilities that sum to 1."""

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy, in nats."""
        return F.cross_entropy(scores, labels)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the softmax of the scores."""
        return scores.softmax(1)

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Return the log-softmax of the scores."""
        return scores.log_softmax(1)

    def confidence(self, scores: Tensor) -> Tensor:
        """Return the top score: low where an image resembles no digit, which a softmax hides."""
        return scores.amax(1)


@dataclass(frozen=True)
class SoftmaxOrNone(Softmax):
    """Scores are logits of ten classes beside an eleventh, "none of them", whose logit is 0.

    That is a softmax of eleven logits, of which one may always be subtracted from all. The class
    is trained with images of no digit, whose label is `NONE`, as in Hendrycks, Mazeika, Dietterich
    2019, "Deep anomaly detection with outlier exposure", which asks for a uniform distribution in
    place of a class. Eq. 9 of LeCun et al. 1998 has one that is not trained, see `RadialBasis`.
    """

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy over eleven classes, in nats."""
        return F.cross_entropy(_or_none(scores), labels)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the softmax over eleven classes; what is missing to 1 is "none of them"."""
        return _or_none(scores).softmax(1)[:, :10]

    def confidence(self, scores: Tensor) -> Tensor:
        """Return log(p / (1 - p)) of the greatest of the ten probabilities p."""
        return _log_odds(_or_none(scores))


def misclassified(scores: Tensor, labels: Tensor) -> Tensor:
    """(N, 10) scores and (N,) labels -> (N,) whether each is misclassified.

    What is no digit, `NONE`, is so if a score surpasses the 0 of its class.
    """
    best, digit = scores.max(1)
    return (digit != labels) & ((labels != NONE) | (best > 0))


def _or_none(scores: Tensor) -> Tensor:
    """(N, 10) scores -> (N, 11), that of "none of them" last."""
    return torch.cat([scores, torch.zeros_like(scores[:, :1])], dim=1)


def _log_odds(logits: Tensor) -> Tensor:
    """(N, 11) logits, that of "none of them" last -> (N,) log(p / (1 - p)) of the likeliest digit.

    A difference of logarithms, since float32 takes many p for 1.
    """
    best = logits[:, :10].argmax(1, keepdim=True)
    others = logits.scatter(1, best, float("-inf"))
    return logits.gather(1, best)[:, 0] - others.logsumexp(1)


@dataclass(frozen=True)
class KerasSigmoid(Softmax):
    """Scores are logits of ten sigmoids trained with Keras's sparse categorical cross-entropy.

    On TensorFlow (as of Keras 3.15 and TensorFlow 2.21), on which soorya-2021 ran, training and
    evaluation use the logits behind the sigmoids: the loss is that of a softmax, and so are the
    probabilities that the scores mean by it. What the source's program reports of an image are its
    ten `sigmoids`. On PyTorch and JAX Keras has another loss, `keras_on_pytorch`.
    """

    def sigmoids(self, scores: Tensor) -> Tensor:
        """Return ten independent numbers between 0 and 1, which need not sum to 1."""
        return scores.sigmoid()


def keras_on_pytorch(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of -log(p_y / sum_j p_j) in nats, p being the sigmoids of (N, 10) scores.

    On PyTorch and JAX Keras takes them as unnormalised probabilities of the ten classes.
    """
    return F.cross_entropy(F.logsigmoid(scores), labels)


@dataclass(frozen=True)
class RadialBasis:
    """Scores are minus the penalties y of Euclidean radial basis units (LeCun et al. 1998).

    Section II-B: the smaller the penalty, the better the pattern fits the class. Section II-C,
    eq. 9, adds an eleventh class, "none of them", whose penalty is the constant ``j``.

    Attributes:
        j: In the unit of the penalties times ``factor``.
        factor: Of the penalties: 1 for the squared distances of eq. 7, 0.5 for their halves, which
            the authors' own programs compute (Lush, gb-modules-nn.lsh, class ``e-layer``).
    """

    j: float
    factor: float = 1.0

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return eq. 9, the mean of y_target + log(exp(-j) + sum_i exp(-y_i))."""
        return F.cross_entropy(self._with_rejection(scores), labels)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return exp(-y_i) / (exp(-j) + sum_i exp(-y_i)); what is missing to 1 is rejection."""
        return self._with_rejection(scores).softmax(1)[:, :10]

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """Return log(exp(-y_i) / sum_i exp(-y_i)): given that it is one of the ten."""
        return (self.factor * scores).log_softmax(1)

    def confidence(self, scores: Tensor) -> Tensor:
        """Return log(p / (1 - p)) of the greatest of the ten probabilities p.

        It is low where the nearest code is far, and where another is as near.
        """
        return _log_odds(self._with_rejection(scores))

    def _with_rejection(self, scores: Tensor) -> Tensor:
        """(N, 10) scores -> (N, 11), the score of "none of them" last."""
        rejection = torch.full_like(scores[:, :1], -self.j)
        return torch.cat([self.factor * scores, rejection], dim=1)


def rejecting(scores: Tensor, labels: Tensor, j: float, factor: float) -> Tensor:
    """Return the loss of `RadialBasis`, as a recipe may choose it for a network of such units."""
    return RadialBasis(j, factor).loss(scores, labels)
