"""The layout of maps in which a CPU trains convolutions quickly."""

from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def channels_last(net: Net) -> Net:
    """Put a network into the layout, and keep the gradients of its pooled maps in it.

    Where maps are flattened for a dense layer, their gradients come back in the other layout.
    torch's max pooling then copies maps of its whole input twice: a tenth of a step of
    dropout_cnn. One copy of the pooled maps, a quarter of them, spares that.
    """
    for module in net.modules():
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(_keep)
    return net.to(memory_format=torch.channels_last)


def forget(pool: nn.MaxPool2d) -> None:
    """Take back from a layer what `channels_last` did; copies under vmap have other layouts."""
    pool._forward_hooks.clear()


def _keep(pool: nn.MaxPool2d, _: tuple[Tensor, ...], pooled: Tensor) -> None:
    if pool.training and pooled.requires_grad:
        pooled.register_hook(_in_layout)


def _in_layout(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)
