"""Where an interrupted run goes on: which of its checkpoints is taken, and how far that one is."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mnist_arch.errors import UserError
from mnist_arch.runs import checkpoint
from mnist_arch.training.callbacks import PREVIOUS
from mnist_arch.training.classifier import UNFINISHED


class Place(NamedTuple):
    """How far a training is: finished epochs, and steps of the next one."""

    epochs: int
    steps: int

    def __str__(self) -> str:
        return f"after epoch {self.epochs}" + (f" and {self.steps} steps" if self.steps else "")


@dataclass(frozen=True)
class Saved:
    """A checkpoint that an interrupted run left."""

    path: Path
    content: dict[str, Any]

    @property
    def place(self) -> Place:
        """How far the training was."""
        unfinished = self.content.get(UNFINISHED, {"steps": 0})
        return Place(self.content["epoch"] + 1, unfinished["steps"])

    @property
    def stopped_early(self) -> bool:
        """Whether Lightning's EarlyStopping had ended the training."""
        return any(
            name.startswith("EarlyStopping") and state["stopped_epoch"]
            for name, state in self.content["callbacks"].items()
        )

    def interruptions(self, split_digest: str) -> list[dict[str, Any]]:
        """List where training was interrupted, this time included, and say where it goes on.

        Raises:
            UserError: It was trained on other images or labels.
        """
        metadata = self.content["mnist_arch"]
        if metadata["split_digest"] != split_digest:
            raise UserError(
                f"{self.path}: cannot be resumed, because the data have changed; remove it"
            )
        sys.stderr.write(f"{self.path}: resuming {self.place}\n")
        last = {"epochs": self.place.epochs, "commit": metadata["provenance"]["commit"]}
        return [*metadata["interrupted"], last]


def newest(folder: Path) -> Saved | None:
    """Read the newest whole checkpoint in the folder of a run; None where there is none.

    Raises:
        UserError: There are some, and none is whole.
    """
    last = folder / "checkpoints/last.ckpt"
    candidates = [each for each in (last, last.with_name(PREVIOUS)) if each.exists()]
    for number, path in enumerate(candidates):
        try:
            return Saved(path, checkpoint.read(path))
        except UserError as error:
            if number + 1 == len(candidates):
                raise UserError(f"{error}; remove it, and the run starts anew") from error
            sys.stderr.write(f"{error}; the one before is taken\n")
    return None


def newest_of_all(folders: Sequence[Path]) -> list[Saved | None]:
    """Read the newest checkpoints of runs that train together; they agree where they can.

    A kill that comes between the checkpoints of two copies leaves some of them one step ahead.
    Those go back to the checkpoint before, so that all go on together.

    Raises:
        UserError: A run has some checkpoints, and none is whole.
    """
    found = [newest(folder) for folder in folders]
    hindmost = min((each.place if each else Place(0, 0) for each in found), default=None)
    return [each and _back(each, hindmost) for each in found]


def _back(saved: Saved, to: Place | None) -> Saved | None:
    """Take the checkpoint before, if it is of a certain place; none, if that is the beginning.

    Nobody's finished epoch is given up for that.
    """
    if saved.place == to:
        return saved
    path = saved.path.with_name(PREVIOUS)
    if not path.exists():  # it was the first
        return None if to == Place(0, 0) and not saved.place.epochs else saved
    try:
        before = Saved(path, checkpoint.read(path))
    except UserError:
        return saved
    return before if before.place == to else saved
