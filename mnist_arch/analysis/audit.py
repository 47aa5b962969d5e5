"""Which test digits nearly every network misclassifies, and what people say of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from mnist_arch.analysis.statistics import Array
from mnist_arch.errors import UserError
from mnist_arch.runs import predictions, records
from mnist_arch.runs.provenance import Provenance

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


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The record of an audit of the test digits; nothing was trained for it.

    Attributes:
        version: Of this format.
        data: A name in conf/data.
        runs: How many of each network.
        test_images: Size of the test split.
        hard: The digits that nearly all networks misclassify, in file order: ``place`` from 0,
            ``label``, ``share`` of the networks, each network counting the share of its runs, and
            for each class but the label in how many runs it was predicted (``votes``).
        accuracy: Of each network in percent, mean over runs.
        accuracy_without: The same without these digits.
        doubted: For each place in `DOUBTED` the share of the networks that misclassify it.
        provenance: What made it.
    """

    version: int = 1
    data: str
    runs: dict[str, int]
    test_images: int
    hard: list[dict[str, Any]]
    accuracy: dict[str, float]
    accuracy_without: dict[str, float]
    doubted: dict[str, float]
    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))

    @property
    def doubted_hard(self) -> int:
        """How many of the digits that people doubt are among the hard ones."""
        return len({each["place"] for each in self.hard} & DOUBTED.keys())


def audit(folders: Sequence[Path], command: str) -> Audit:
    """Count, from the saved predictions of finished runs, which test digits are misclassified.

    Raises:
        UserError: There are no runs, one is not finished or was not tested, or they were tested on
            different images.
    """
    if not folders:
        raise UserError("an audit needs finished runs")
    members = [records.read(folder) for folder in folders]
    sha256 = members[0].provenance.data_sha256
    predicted: dict[str, list[Array]] = {}
    labels = np.zeros(0, dtype=np.int64)
    for folder, member in zip(folders, members, strict=True):
        if member.provenance.data_sha256 != sha256:
            raise UserError(f"{folder}: not tested on the images of {folders[0]}")
        saved = predictions.read(folder, member)
        labels = saved.labels.numpy()
        predicted.setdefault(member.architecture, []).append(saved.predicted.numpy())
    wrong = {name: np.stack(each) != labels for name, each in predicted.items()}
    share = np.mean([each.mean(0) for each in wrong.values()], axis=0)
    hard = np.flatnonzero(share >= NEARLY_ALL)
    easy = share < NEARLY_ALL
    everyone = np.concatenate([np.stack(each) for each in predicted.values()])
    return Audit(
        data=members[0].data,
        runs={name: len(each) for name, each in predicted.items()},
        test_images=len(labels),
        hard=[
            {
                "place": int(place),
                "label": int(labels[place]),
                "share": float(share[place]),
                "votes": _votes(everyone[:, place], int(labels[place])),
            }
            for place in hard
        ],
        accuracy={name: 100 * float(1 - each.mean()) for name, each in wrong.items()},
        accuracy_without={
            name: 100 * float(1 - each[:, easy].mean()) for name, each in wrong.items()
        },
        doubted={str(place): float(share[place]) for place in DOUBTED if place < len(labels)},
        provenance=Provenance.of(command, sha256),
    )


def _votes(predicted: Array, label: int) -> dict[str, int]:
    """Count the classes predicted other than the label, the most frequent first."""
    counts = Counter(int(each) for each in predicted if each != label)
    return {str(digit): count for digit, count in counts.most_common()}


def gain(record: Audit) -> float:
    """Return how many points of accuracy the hard digits cost, mean over the networks."""
    return mean(record.accuracy_without[name] - record.accuracy[name] for name in record.accuracy)
