"""How a network is trained. The values are in conf/recipe."""

import math
from dataclasses import dataclass
from typing import Any

from mnist_arch.errors import UserError, suggestion

GREATEST = 2**63 - 1  # that torch can count to
KEEP = ("last", "best")


def check_count(setting: str, value: int, least: int) -> None:
    """Refuse a number that is too small, or larger than torch can count to.

    Raises:
        UserError: It is.
    """
    if value < least:
        raise UserError(f"{setting}: must be {least} or more")
    if value > GREATEST:
        raise UserError(f"{setting}: must be less than 2^63")


@dataclass
class Recipe:
    """How a network is trained.

    Attributes:
        max_epochs: Epochs, at most.
        batch_size: Images of one optimiser step.
        l2: Keras's l2(c) on every kernel: adds c * sum(w^2) to what is minimised. Biases are free.
        validation: Share of the training set that is held out for validation, 0 for none.
        keep: The weights that are tested: ``last``, or ``best`` on validation (fewest errors, the
            earlier epoch of equals).
        optimizer: ``_target_`` of a torch.optim.Optimizer and its arguments.
        initialization: ``_target_`` of a function that gives a network its starting weights, and
            its other arguments; None for the network's own.
        schedule: ``_target_`` of a torch.optim.lr_scheduler.LRScheduler and its arguments,
            stepped after each epoch, or of a `schedules.SmoothSchedule`, which moves before each
            step; None for a constant rate.
        loss: ``_target_`` of a mean loss of (N, 10) scores and (N,) labels, and its other
            arguments; None for that of the network's head.
        augmentation: ``_target_`` of an augmentation and its arguments, None for none.
        gradient_clip_val: The greatest norm of the gradient, None for any;
            ``trainer.gradient_clip_val`` follows it.
        standardize: Whether the network is given pixel values less MNIST's mean, over their
            standard deviation, in place of its source's scaling.
        extra: A folder of images that are trained on beside the data set (`data.extras`), or its
            name in the cache of data; None for none.
        reshuffle: Whether each epoch has an order of its own, or all have that of the first.
        name: Of its file in conf/recipe; filled in when settings are composed.
    """

    max_epochs: int
    batch_size: int
    l2: float
    validation: float
    keep: str
    optimizer: dict[str, Any]
    initialization: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    augmentation: dict[str, Any] | None = None
    gradient_clip_val: float | None = None
    standardize: bool = False
    reshuffle: bool = True
    extra: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        for key in ("max_epochs", "batch_size"):
            check_count(f"recipe.{key}={getattr(self, key)}", getattr(self, key), 1)
        for part in ("optimizer", "initialization", "schedule", "loss", "augmentation"):
            for key, value in (getattr(self, part) or {}).items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise UserError(f"recipe.{part}.{key}={value}: must be finite")
        if not 0 <= self.l2 < float("inf"):
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
