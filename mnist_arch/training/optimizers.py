"""Optimisers that follow the sources where torch.optim does not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def parameter_groups(net: nn.Module, l2: float) -> list[dict[str, Any]]:
    """Divide the parameters into kernels, which decay, and the rest, which never does.

    Keras's l2(c) adds c * sum(w^2) to the loss, so 2 * c * w to the gradient: the weight decay
    2 * c of torch.optim's SGD and Adam. With l2 = 0 the kernels follow the optimiser's own weight
    decay. Vectors (biases, and the subsampling coefficients of LeNet-5) are left free.
    """
    kernels = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    decay = {"weight_decay": 2 * l2} if l2 else {}
    return [{"params": kernels} | decay, {"params": vectors, "weight_decay": 0.0}]


class KerasAdam(torch.optim.Adam):
    """Adam with epsilon where Keras has it.

    Kingma and Ba 2015 give two forms. torch.optim.Adam adds epsilon to the bias-corrected
    sqrt(v / (1 - beta2^t)) (algorithm 1); Keras adds it to sqrt(v) and corrects the rate (the
    remark at the end of section 2). The second is the first with
    epsilon / sqrt(1 - beta2^t) at step t.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        *,
        fused: bool = True,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, fused=fused)
        for group in self.param_groups:
            group["keras_eps"], group["steps"] = eps, 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; see torch.optim.Adam.step."""
        for group in self.param_groups:
            group["steps"] += 1
            group["eps"] = group["keras_eps"] / (1 - group["betas"][1] ** group["steps"]) ** 0.5
        return super().step(closure)
