"""Optimisers that follow the sources where torch.optim does not."""

import bisect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from mnist_arch.errors import suggestion
from mnist_arch.training.curvature import METHODS, Curvature


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
        if closure is None and self._step_quickly():
            return None
        return super().step(closure)

    def _step_quickly(self) -> bool:
        """Call the kernel that Adam.step would call; False where that is not so simple.

        Of a step of a dense network 42 % is what Adam.step does in Python before it calls it.
        """
        calls = []
        for group in self.param_groups:
            parameters = group["params"]
            states: list[Any] = [self.state.get(parameter) for parameter in parameters]
            gradients = [parameter.grad for parameter in parameters]
            if not (group["fused"] and all(states) and all(g is not None for g in gradients)):
                return False
            calls.append((group, parameters, gradients, states))
        scale, infinite = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if scale is not None or infinite is not None:
            return False
        with torch.no_grad():
            for group, parameters, gradients, states in calls:
                steps = [state["step"] for state in states]
                torch._foreach_add_(steps, 1)
                torch._fused_adam_(
                    parameters,
                    gradients,
                    [state["exp_avg"] for state in states],
                    [state["exp_avg_sq"] for state in states],
                    [],
                    steps,
                    lr=group["lr"],
                    beta1=group["betas"][0],
                    beta2=group["betas"][1],
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    amsgrad=False,
                    maximize=False,
                )
        return True


class SDLM(torch.optim.Optimizer):
    """Stochastic diagonal Levenberg-Marquardt (LeCun et al. 1998, appendix C).

    Each parameter has a rate of its own, lr / (mu + h), h being the second derivative of the loss
    along it, which is measured on some patterns before each pass (`curvature.measure`).

    Args:
        params: Parameters or groups of them.
        lr: The global rate.
        mu: Bounds the rates where the loss is flat.
        patterns: How many patterns h is to be measured on.
        curvature: By which of `curvature.METHODS`.
    """

    def __init__(
        self, params: Any, lr: float, mu: float, patterns: int, curvature: str = "gauss_newton"
    ) -> None:
        for name, value in (("lr", lr), ("mu", mu), ("patterns", patterns)):
            if not value > 0:
                raise ValueError(f"{name}={value}: must be greater than 0")
        if curvature not in METHODS:
            raise ValueError(f"curvature={curvature}: {suggestion(curvature, METHODS)}")
        self.patterns, self.curvature = patterns, curvature
        super().__init__(params, {"lr": lr, "mu": mu, "weight_decay": 0.0})

    def set_curvature(self, curvature: Curvature) -> None:
        """Take h of each parameter; the rates follow from it until the next call."""
        for group in self.param_groups:
            for parameter in group["params"]:
                h = curvature[parameter] + group["weight_decay"]
                self.state[parameter]["scale"] = 1 / (group["mu"] + h)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Raises:
            KeyError: `set_curvature` was never called.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            decay, rate = group["weight_decay"], group["lr"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
                parameter.addcmul_(gradient, self.state[parameter]["scale"], value=-rate)
        return loss


class Staircase(LRScheduler):
    """A rate for each flight of passes, and the last one from then on.

    Args:
        optimizer: Whose rate it sets.
        rates: One for each flight, and one more.
        passes: The length of each flight.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, rates: Sequence[float], passes: Sequence[int]
    ) -> None:
        if len(rates) != len(passes) + 1:
            raise ValueError(f"{len(rates)} rates need {len(rates) - 1} passes, not {len(passes)}")
        self.rates, self.ends = list(rates), list(itertools.accumulate(passes))
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """Return the rate of the pass that begins."""
        rate = self.rates[bisect.bisect_right(self.ends, self.last_epoch)]
        return [rate] * len(self.optimizer.param_groups)
