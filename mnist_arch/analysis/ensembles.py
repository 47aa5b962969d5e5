"""Several trained networks as one: their averaged probabilities."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mnist_arch.errors import UserError
from mnist_arch.runs import predictions, records

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The record of an ensemble; nothing was trained for it.

    Attributes:
        version: Of this format.
        command: A command that repeats it from the same runs.
        data: A name in conf/data.
        members: For each run its command, commit, ``test_errors`` and ``test_loss``.
        test_images: Size of the test split.
        test_errors: Test images that the averaged probabilities misread.
        test_loss: Mean of -log of the averaged probability of the right digit, in nats.
        test_errors_by_digit: For each true digit.
    """

    version: int = VERSION
    command: str
    data: str
    members: list[dict[str, Any]]
    test_images: int
    test_errors: int
    test_loss: float
    test_errors_by_digit: list[int]

    def write(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        records.write_values(path, asdict(self))


def average(folders: Sequence[Path], command: str) -> Ensemble:
    """Test the averaged probabilities of finished runs, from their saved test scores.

    Each member's ten probabilities are divided by their sum first, so that all have the same
    weight: those of sigmoids sum to anything, those of RBF units to less than 1.

    Raises:
        UserError: There are fewer than two runs, the same one twice, one that is not finished or
            was not tested, or they were tested on different digits.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise UserError("an ensemble needs two or more runs, each of them once")
    members = [records.read(folder) for folder in folders]
    first, total, truth = members[0], torch.zeros(()), torch.zeros(())
    for folder, member in zip(folders, members, strict=True):
        if member.data_sha256 != first.data_sha256:
            raise UserError(f"{folder}: not tested on the digits of {folders[0]}")
        found = predictions.read(folder, member)
        probabilities, truth = found.probabilities, found.labels
        # Far from all RBF units every probability is 0: such a member has no say.
        sums = probabilities.sum(1, keepdim=True).clamp_min(torch.finfo(torch.double).tiny)
        total = total + probabilities / sums / len(members)
    wrong = total.argmax(1) != truth
    return Ensemble(
        command=command,
        data=first.data,
        members=[
            {name: getattr(member, name) for name in ("command", "commit", *_SCORED)}
            for member in members
        ],
        test_images=len(truth),
        test_errors=int(wrong.sum()),
        test_loss=-total[torch.arange(len(truth)), truth].log().mean().item(),
        test_errors_by_digit=torch.bincount(truth[wrong], minlength=10).tolist(),
    )


_SCORED = ("architecture", "recipe", "seed", "test_errors", "test_loss")
