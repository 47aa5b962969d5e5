"""Several trained networks as one: their averaged probabilities."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import torch

from mnist_arch.errors import UserError
from mnist_arch.runs import predictions, records
from mnist_arch.runs.provenance import Provenance


class Member(TypedDict):
    """A run of an ensemble, in its record."""

    command: str
    commit: str | None
    architecture: str
    recipe: str
    seed: int
    test_errors: float
    test_loss: float


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The record of an ensemble; nothing was trained for it.

    Attributes:
        version: Of this format.
        data: A name in conf/data.
        members: Its runs.
        test_images: Size of the test split.
        test_errors: Test images that the averaged probabilities misclassify.
        test_loss: Mean of -log of the averaged probability of the true class, in nats.
        test_errors_by_digit: For each true digit.
        provenance: What made it.
    """

    version: int = 2
    data: str
    members: list[Member]
    test_images: int
    test_errors: int
    test_loss: float
    test_errors_by_digit: list[int]
    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))


def average(folders: Sequence[Path], command: str) -> Ensemble:
    """Test the averaged probabilities of finished runs, from their saved test scores.

    Each member's ten probabilities are divided by their sum first, so that all have the same
    weight: those of sigmoids sum to anything, those of RBF units to less than 1.

    Raises:
        UserError: There are fewer than two runs, the same one twice, one that is not finished or
            was not tested, or they were tested on different images.
    """
    if len({os.path.realpath(folder) for folder in folders}) < max(2, len(folders)):
        raise UserError("an ensemble needs two or more runs, each of them once")
    members = [records.read(folder) for folder in folders]
    sha256, total, truth = members[0].provenance.data_sha256, torch.zeros(()), torch.zeros(())
    for folder, member in zip(folders, members, strict=True):
        if member.provenance.data_sha256 != sha256:
            raise UserError(f"{folder}: not tested on the images of {folders[0]}")
        saved = predictions.read(folder, member)
        probabilities, truth = saved.probabilities, saved.labels
        # Far from all RBF units every probability is 0: such a member has no vote.
        sums = probabilities.sum(1, keepdim=True).clamp_min(torch.finfo(torch.double).tiny)
        total = total + probabilities / sums / len(members)
    wrong = total.argmax(1) != truth
    return Ensemble(
        data=members[0].data,
        members=[
            {
                "command": member.provenance.command,
                "commit": member.provenance.commit,
                "architecture": member.architecture,
                "recipe": member.recipe,
                "seed": member.seed,
                "test_errors": member.scores["test"]["errors"],
                "test_loss": member.scores["test"]["loss"],
            }
            for member in members
        ],
        test_images=len(truth),
        test_errors=int(wrong.sum()),
        test_loss=-total[torch.arange(len(truth)), truth].log().mean().item(),
        test_errors_by_digit=torch.bincount(truth[wrong], minlength=10).tolist(),
        provenance=Provenance.of(command, sha256),
    )
