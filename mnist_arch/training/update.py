"""One optimiser step, at the pace of a loop of plain torch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

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
        scores, loss = self._gradients(step)
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

    def _gradients(self, step: Step) -> tuple[Tensor, Tensor]:
        """Give each parameter its gradient; return scores and loss."""
        images, labels, weight = step
        for parameter in self.parameters:
            parameter.grad = None
        scores = self.net(images)
        loss = self.loss(scores, labels)
        self.backward(loss if weight == 1 else loss * weight)
        return scores, loss


class GraphedUpdate(PlainUpdate):
    """The same on one NVIDIA GPU, which is given forward and backward pass as one CUDA graph.

    They are a hundred kernels or so, of microseconds each, which take longer to be launched one
    by one than to run. The first batch is captured; batches of another shape run without a graph.
    """

    _graph: torch.cuda.CUDAGraph | None = None

    @override
    def _gradients(self, step: Step) -> tuple[Tensor, Tensor]:
        images, labels, _ = step
        if self._graph is None:
            self._graph = self._captured(step)
        if (images.shape, images.dtype) != (self._images.shape, self._images.dtype):
            return super()._gradients(step)
        self._images.copy_(images)
        self._labels.copy_(labels)
        for parameter, gradient in zip(self.parameters, self._slopes, strict=True):
            parameter.grad = gradient
        self._graph.replay()
        return self._scores.clone(), self._loss.clone()  # the next replay writes there

    def _captured(self, step: Step) -> torch.cuda.CUDAGraph:
        """Capture the passes, and leave moving averages and random numbers as they were."""
        self._images, self._labels = step.images.clone(), step.labels.clone()
        own = Step(self._images, self._labels)
        buffers = [(buffer, buffer.clone()) for buffer in self.net.buffers()]
        random, stream = torch.cuda.get_rng_state(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # what libraries set up at their first calls stays outside
            for _ in range(3):
                super()._gradients(own)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores, loss = super()._gradients(own)
        self._scores, self._loss = scores.detach(), loss.detach()
        self._slopes = [parameter.grad for parameter in self.parameters]
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        torch.cuda.set_rng_state(random)
        return graph
