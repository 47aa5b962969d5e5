"""Which test digits nearly every network misclassifies, and what people say of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np

from mnist_arch.analysis.statistics import Array
from mnist_arch.errors import UserError
from mnist_arch.runs.records import Record

NEARLY_ALL = 0.9  # of the networks


class Opinion(NamedTuple):
    """How many of five people read a test digit as its label, as networks did, and as neither."""

    label: int
    taken_for: int
    neither: int


# Test digits that most people did not read as their label, by place: Northcutt, Athalye, Mueller,
# Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks, NeurIPS 2021; the
# file mturk/mnist_mturk.json of the repository cleanlab/label-errors at commit 6d5d6b3.
DOUBTED = {
    947: Opinion(0, 5, 0),
    1621: Opinion(2, 3, 0),
    1901: Opinion(2, 3, 0),
    2130: Opinion(2, 2, 1),
    2462: Opinion(0, 4, 1),
    2597: Opinion(0, 4, 1),
    2654: Opinion(0, 2, 3),
    3520: Opinion(2, 0, 3),
    3558: Opinion(1, 4, 0),
    5937: Opinion(1, 3, 1),
    6651: Opinion(0, 5, 0),
    6783: Opinion(2, 3, 0),
    8527: Opinion(2, 2, 1),
    9679: Opinion(2, 0, 3),
    9729: Opinion(2, 3, 0),
}


@dataclass(frozen=True)
class Audit:
    """What records tell of single test digits.

    Attributes:
        runs: How many of each network.
        share: (N,) of the networks that misclassify a test digit, in file order; each network
            counts once, by the share of its runs.
        accuracy: Of each network in percent, mean over runs.
        accuracy_without: The same without the `hard` digits.
    """

    runs: dict[str, int]
    share: Array
    accuracy: dict[str, float]
    accuracy_without: dict[str, float]

    @property
    def hard(self) -> list[int]:
        """Places of the digits that nearly all networks misclassify, from 0, in file order."""
        return [int(place) for place in np.flatnonzero(self.share >= NEARLY_ALL)]

    @property
    def gain(self) -> float:
        """How many points of accuracy the hard digits cost, mean over the networks."""
        return mean(self.accuracy_without[name] - self.accuracy[name] for name in self.accuracy)


def audit(members: Mapping[Path, Record]) -> Audit:
    """Count, from the records of tested runs, which test digits are misclassified.

    Raises:
        UserError: There are no runs, one does not say which images it misclassified, or they were
            tested on different images.
    """
    if not members:
        raise UserError("an audit needs tested runs")
    first, sha256 = next((path, each.provenance.data_sha256) for path, each in members.items())
    flags: dict[str, list[Array]] = {}
    for path, member in members.items():
        wrong = member.misclassified_images
        if wrong is None:
            raise UserError(f"{path}: does not say which test images it misclassified")
        if member.provenance.data_sha256 != sha256:
            raise UserError(f"{path}: not tested on the images of {first}")
        flags.setdefault(member.architecture, []).append(wrong)
    stacked = {name: np.stack(each) for name, each in sorted(flags.items())}
    share = np.mean([each.mean(0) for each in stacked.values()], axis=0)
    easy = share < NEARLY_ALL
    return Audit(
        runs={name: len(each) for name, each in stacked.items()},
        share=share,
        accuracy={name: 100 * float(1 - each.mean()) for name, each in stacked.items()},
        accuracy_without={
            name: 100 * float(1 - each[:, easy].mean()) for name, each in stacked.items()
        },
    )
