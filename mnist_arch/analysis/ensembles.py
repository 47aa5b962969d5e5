"""Several trained networks as one: their averaged probabilities."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import torch

from mnist_arch.errors import UserError
from mnist_arch.runs import predictions, records
from mnist_arch.runs.identity import Variant
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record


class Member(TypedDict):
    """A run of an ensemble, in its record; errors and loss are of the ensemble's split."""

    command: str
    commit: str | None
    architecture: str
    recipe: str
    variant: Variant
    seed: int
    errors: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The record of an ensemble; nothing was trained for it.

    Attributes:
        version: Of this format.
        data: A name in conf/data.
        split: ``test``, or ``validation`` for one that is made to choose by.
        members: Its runs.
        images: Size of the split.
        errors: Images of it that the averaged probabilities misclassify.
        loss: Mean of -log of the averaged probability of the true class, in nats.
        errors_by_digit: For each true digit.
        provenance: What made it.
    """

    version: int = 3
    data: str
    split: str
    members: list[Member]
    images: int
    errors: int
    loss: float
    errors_by_digit: list[int]
    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))


def read_all(folder: Path) -> tuple[list[Ensemble], list[Ensemble]]:
    """Read every such record in a folder: those on test images, and those on validation images.

    Raises:
        UserError: One of them is not readable.
    """
    read = [
        records.read_as(Ensemble, path, _contradiction) for path in sorted(folder.glob("*.json"))
    ]
    tested = [each for each in read if each.split == "test"]
    return tested, [each for each in read if each.split != "test"]


def _contradiction(record: Ensemble) -> str | None:
    """Say what in a record cannot be; None if all can."""
    if record.split not in ("test", "validation"):
        return f"no split {record.split!r}"
    if len(record.members) < 2:
        return "fewer than two members"
    if not 0 <= sum(record.errors_by_digit) == record.errors <= record.images:
        return "errors by digit, errors and images"
    return None


def average(folders: Sequence[Path], command: str) -> Ensemble:
    """Judge the averaged probabilities of finished runs, from the scores that they saved.

    Runs that left the test images unread are judged on the validation images that all of them
    held out. Each member's ten probabilities are divided by their sum first, so that all have the
    same weight: those of sigmoids sum to anything, those of RBF units to less than 1.

    Raises:
        UserError: There are fewer than two runs, the same one twice, one that is not finished, or
            they were judged on different images.
    """
    if len({os.path.realpath(folder) for folder in folders}) < max(2, len(folders)):
        raise UserError("an ensemble needs two or more runs, each of them once")
    members = [records.read(folder) for folder in folders]
    first, total, truth = members[0], torch.zeros(()), torch.zeros(())
    split = first.judged_on
    for folder, member in zip(folders, members, strict=True):
        if _judged_on(member) != _judged_on(first):
            raise UserError(f"{folder}: not judged on the {split} images of {folders[0]}")
        saved = predictions.read(folder, member, untested=True)
        probabilities, truth = saved.probabilities, saved.labels
        # Far from all RBF units every probability is 0: such a member has no vote.
        sums = probabilities.sum(1, keepdim=True).clamp_min(torch.finfo(torch.double).tiny)
        total = total + probabilities / sums / len(members)
    wrong = total.argmax(1) != truth
    return Ensemble(
        data=first.data,
        split=split,
        members=[
            {
                "command": member.provenance.command,
                "commit": member.provenance.commit,
                "architecture": member.architecture,
                "recipe": member.recipe,
                "variant": member.variant,
                "seed": member.seed,
                "errors": member.scores[split]["errors"],
                "loss": member.scores[split]["loss"],
            }
            for member in members
        ],
        images=len(truth),
        errors=int(wrong.sum()),
        loss=-total[torch.arange(len(truth)), truth].log().mean().item(),
        errors_by_digit=torch.bincount(truth[wrong], minlength=10).tolist(),
        provenance=Provenance.of(command, first.provenance.data_sha256),
    )


def _judged_on(record: Record) -> tuple[object, ...]:
    """What tells the images that judge a run from others."""
    digest = None if record.tested else record.split_digest
    return record.judged_on, record.provenance.data_sha256, digest
