"""Do the digits of a data set lie on their sides? EMNIST's files have each image transposed."""

import torch
from torch import Tensor

from mnist_arch.data.splits import Split

# By how much the ink of MNIST's training digits spreads farther down than across: the logarithm of
# the ratio of its standard deviations, the mean for each digit. Transposed digits have the same
# numbers with the other sign.
UPRIGHT = (0.11, 1.12, 0.28, 0.48, 0.13, 0.32, 0.35, 0.42, 0.46, 0.41)
# Cosine of the angle to these numbers. Of 600 times 100 training digits the least is 0.946; what
# is merely wider than tall, all classes alike, has -0.84.
LYING = -0.9
IMAGES = 2_000  # that are looked at: their evenly spaced choice takes some milliseconds


def lies_on_its_side(split: Split) -> bool:
    """Tell whether images of digits 0 to 9 are transposed; of 100 or more, see `LYING`."""
    chosen = slice(None, None, max(1, len(split.labels) // IMAGES))
    images, labels = split.images[chosen, 0].double(), split.labels[chosen]
    inked = images.flatten(1).any(1)
    images, labels = images[inked], labels[inked]
    taller = (_spread(images.sum(2)) / _spread(images.sum(1))).log()
    means = torch.zeros(10, dtype=torch.double)
    for label in labels.unique():
        means[label] = taller[labels == label].mean()
    upright = torch.tensor(UPRIGHT, dtype=torch.double) * (labels.bincount(minlength=10) > 0)
    return bool(torch.cosine_similarity(means, upright, dim=0) < LYING)


def _spread(ink: Tensor) -> Tensor:
    """(N, L) ink by place -> (N,) standard deviation of its place, that of one pixel at least."""
    weights, places = ink / ink.sum(1, keepdim=True), torch.arange(ink.shape[1])
    mean = (weights * places).sum(1, keepdim=True)
    return ((weights * (places - mean) ** 2).sum(1) + 1 / 12).sqrt()
