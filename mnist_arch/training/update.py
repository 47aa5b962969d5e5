"""One optimiser step, at the pace of a loop of plain torch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mnist_arch.data.batches import Step
from mnist_arch.training.curvature import Loss


class Update(Protocol):
    """Takes one optimiser step."""

    def __call__(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return the (B, 10) scores and the loss that the step was computed from."""


@dataclass(frozen=True)
class Clipping:
    """Limits the gradient: its ``norm`` over all parameters, or each ``value`` in it."""

    limit: float
    algorithm: str = "norm"

    def __call__(self, parameters: Iterable[nn.Parameter]) -> None:
        clip = nn.utils.clip_grad_norm_ if self.algorithm == "norm" else nn.utils.clip_grad_value_
        clip(parameters, self.limit)


class PlainUpdate:
    """Forward, backward, step.

    Args:
        net: The network.
        loss: Of its scores and the labels.
        optimizer: Of its parameters.
        clipping: Of the gradient, None for none.
        scaler: Unscales the gradient of half precision (16-mixed), None where nothing is scaled.
        backward: Of the loss; Lightning's where the loss is scaled, or processes share gradients.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        optimizer: Optimizer,
        *,
        clipping: Clipping | None = None,
        scaler: torch.amp.GradScaler | None = None,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.clipping, self.scaler, self.backward = clipping, scaler, backward
        self.parameters = [*net.parameters()]

    def __call__(self, step: Step) -> tuple[Tensor, Tensor]:
        images, labels, weight = step
        for parameter in self.parameters:
            parameter.grad = None
        scores = self.net(images)
        loss = self.loss(scores, labels)
        self.backward(loss if weight == 1 else loss * weight)
        if self.clipping:
            if self.scaler:
                self.scaler.unscale_(self.optimizer)
            self.clipping(self.parameters)
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        return scores.detach(), loss.detach()
