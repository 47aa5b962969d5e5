"""bf16 on a processor that has no instructions for it.

torch computes convolutions in bf16 there too, but some fifteen times as slowly as in float32.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from typing_extensions import override

aten = torch.ops.aten

PRODUCTS = {
    aten.convolution.default,
    aten.convolution_backward.default,
    *(aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default),
}


class EmulatedBF16(TorchDispatchMode):
    """While it is entered, computes sums of bf16 products in float32, and rounds each to bf16.

    So do the instructions, but for the order of a sum: the product of two bf16 numbers, of 8 bits
    each, is exact in the 24 bits of float32, and float32 is what they add up (TDPBF16PS in Intel's
    Architecture Instruction Set Extensions Programming Reference). All else is left to torch.
    """

    @override
    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in PRODUCTS or not any(_is_bf16(each) for each in args):
            return func(*args, **kwargs)
        sums = func(*tree_map_only(Tensor, Tensor.float, args), **kwargs)
        return tree_map_only(Tensor, Tensor.bfloat16, sums)


def _is_bf16(argument: Any) -> bool:
    return isinstance(argument, Tensor) and argument.dtype == torch.bfloat16
