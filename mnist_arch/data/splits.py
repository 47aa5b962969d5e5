"""Which images are for training, and which for validation."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_arch.randomness import generator

FOLDS = 10


class Split(NamedTuple):
    """Some images in order, and what they show."""

    images: Tensor  # (N, 1, 28, 28) uint8, 0 background to 255 ink
    labels: Tensor  # (N,) int64, 0 to 9


def first_of_each(split: Split) -> Tensor:
    """Return the first image of each class that a split has, (C, 1, 28, 28), by class."""
    return torch.stack([split.images[split.labels == label][0] for label in split.labels.unique()])


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


def fold_of(labels: Tensor, seed: int) -> Tensor:
    """(N,) labels -> (N,) int64, which of `FOLDS` stratified folds each image belongs to.

    The folds' sizes, and what each has of a class, differ by one at the most.
    """
    draws = generator(seed, "folds")
    folds, dealt = torch.zeros(len(labels), dtype=torch.int64), 0
    for label in range(int(labels.max()) + 1):
        where = (labels == label).nonzero().flatten()
        order = where[torch.randperm(len(where), generator=draws)]
        folds[order] = (dealt + torch.arange(len(where))) % FOLDS
        dealt += len(where)
    return folds


def digest(*splits: Split) -> str:
    """Return the SHA-256 of the images and labels of the splits, in their order."""
    sha256 = hashlib.sha256()
    for split in splits:
        sha256.update(split.images.numpy().tobytes())
        sha256.update(split.labels.numpy().tobytes())
    return sha256.hexdigest()
