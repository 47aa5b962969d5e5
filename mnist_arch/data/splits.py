"""Which images are for training, and which for validation."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_arch.randomness import generator


class Split(NamedTuple):
    """Some images in order, and what they show."""

    images: Tensor  # (N, 1, 28, 28) uint8, 0 background to 255 ink
    labels: Tensor  # (N,) int64, 0 to 9


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Divide the indices of (N,) labels into the rest and those held out, both ascending.

    ``round(share * N)`` are held out: of each class its share, drawn at random from ``seed``;
    where that is no whole number, the classes with the largest remainders give one more.
    """
    counts = torch.bincount(labels)
    shares = counts * share
    quota = shares.floor().long()
    extra = round(share * len(labels)) - int(quota.sum())
    quota[(shares - quota).argsort(descending=True, stable=True)[:extra]] += 1

    draws = generator(seed, "split")
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label, number in enumerate(quota.tolist()):
        where = (labels == label).nonzero().flatten()
        held_out[where[torch.randperm(len(where), generator=draws)[:number]]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def digest(*splits: Split) -> str:
    """Return the SHA-256 of the images and labels of the splits, in their order."""
    sha256 = hashlib.sha256()
    for split in splits:
        sha256.update(split.images.numpy().tobytes())
        sha256.update(split.labels.numpy().tobytes())
    return sha256.hexdigest()
