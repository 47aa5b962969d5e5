"""Schedules of the learning rate that move within an epoch."""

import math

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from mnist_arch.data.batches import Step
from mnist_arch.training.update import Update


class SmoothSchedule(LRScheduler):
    """Multiplies the optimiser's rates by a factor that depends on progress, before each step.

    Progress is counted in epochs, from 0: it is 2.5 in the middle of the third. So a schedule
    needs no number of steps, and stays what it is at another batch size.
    """

    def factor(self, progress: float) -> float:
        """Return what the rates are multiplied by."""
        raise NotImplementedError

    def move_to(self, progress: float) -> None:
        """Set the rates."""
        factor = self.factor(progress)
        for group, rate in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = rate * factor

    @override
    def get_lr(self) -> list[float | Tensor]:
        """Return the rates between two epochs."""
        return [rate * self.factor(self.last_epoch) for rate in self.base_lrs]


class WarmupCosine(SmoothSchedule):
    """From zero straight up to the optimiser's rates, then down to zero along half a cosine.

    With a short warm-up that is today's usual schedule, with a long one and a high rate it is the
    one cycle of Smith and Topin 2017 (arXiv 1708.07120).

    Args:
        optimizer: Whose rates it sets.
        epochs: The length of training.
        warmup: The share of training in which the rates rise, less than 1.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, epochs: float, warmup: float) -> None:
        if not epochs > 0:
            raise ValueError(f"epochs={epochs}: must be greater than 0")
        if not 0 <= warmup < 1:
            raise ValueError(
                f"warmup={warmup}: must be a share of training, 0 or more, less than 1"
            )
        self.epochs, self.warmup = epochs, warmup
        super().__init__(optimizer)

    @override
    def factor(self, progress: float) -> float:
        """Return the share of the optimiser's rates, 0 from the end of training on."""
        done = min(progress / self.epochs, 1)
        if done < self.warmup:
            return done / self.warmup
        return (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup))) / 2


class ScheduledUpdate:
    """Sets the rates for the middle of each step, and takes the step.

    At its beginning the rate of the first step of a warm-up would be zero.

    Args:
        update: Takes the step.
        schedule: Of its optimiser.
        steps: Of an epoch.
        done: Steps of the whole training that were taken before.
    """

    def __init__(self, update: Update, schedule: SmoothSchedule, *, steps: int, done: int) -> None:
        self.update, self.schedule = update, schedule
        self.steps, self.done = steps, done

    def __call__(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return what the update returns."""
        self.schedule.move_to((self.done + 0.5) / self.steps)
        self.done += 1
        return self.update(step)
