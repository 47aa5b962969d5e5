"""How a network is trained, and what its source claims. The numbers are in conf/recipe."""

from dataclasses import dataclass
from typing import Any

from mnist_arch.errors import UserError, suggestion

KEEP = ("last", "best")


@dataclass
class Claim:
    """What a source says it reached; accuracies in percent, None where it says nothing.

    Attributes:
        source: Who says so, and where.
        epochs: Epochs of the source's training.
        test_accuracy: On MNIST's 10,000 test digits.
        test_loss: Mean over the test digits, in the source's own loss.
        validation_accuracy: On the digits that the source held out of the 60,000.
        train_accuracy: On the digits trained on.
    """

    source: str
    epochs: int | None
    test_accuracy: float | None
    test_loss: float | None
    validation_accuracy: float | None
    train_accuracy: float | None


@dataclass
class Recipe:
    """How a network is trained.

    Attributes:
        max_epochs: Passes over the training split.
        batch_size: Images of one step.
        initialization: ``_target_`` of a function that gives a network its starting weights, and
            its other arguments; None for the network's own.
        optimizer: ``_target_`` of a torch.optim.Optimizer and its arguments.
        schedule: ``_target_`` of a torch.optim.lr_scheduler.LRScheduler and its arguments,
            stepped after each epoch; None for a constant rate.
        loss: ``_target_`` of a mean loss of (N, 10) scores and (N,) digits, and its other
            arguments; None for that of the network's head.
        l2: Keras's l2(c) on every kernel: adds c * sum(w^2) to what is minimised. Biases are free.
        validation: Share of the training set that is held out, 0 for none.
        keep: The weights that are tested: ``last``, or ``best`` on validation (fewest errors, the
            earlier epoch of equals).
        augmentation: ``_target_`` of a distortion and its arguments, None for none.
        claim: What the source says; None for a recipe that is not a source's.
        note: What is assumed or differs from the source, for the reader of a table.
    """

    max_epochs: int
    batch_size: int
    initialization: dict[str, Any] | None
    optimizer: dict[str, Any]
    schedule: dict[str, Any] | None
    loss: dict[str, Any] | None
    l2: float
    validation: float
    keep: str
    augmentation: dict[str, Any] | None
    claim: Claim | None
    note: str

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UserError: A value is impossible.
        """
        for key in ("max_epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise UserError(f"recipe.{key}={getattr(self, key)}: must be 1 or more")
        if not self.l2 >= 0:
            raise UserError(f"recipe.l2={self.l2}: must be 0 or more")
        if self.l2 and self.optimizer.get("weight_decay"):
            raise UserError("recipe.l2 and recipe.optimizer.weight_decay: set one of them to 0")
        if not 0 <= self.validation < 1:
            raise UserError(
                f"recipe.validation={self.validation}: must be a share of the training set, "
                "0 or more and less than 1"
            )
        if self.keep not in KEEP:
            raise UserError(f"recipe.keep={self.keep}: {suggestion(self.keep, KEEP)}")
