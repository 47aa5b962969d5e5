"""Layers that PyTorch lacks: raw pixels, and the four inventions of LeNet-5.

The section numbers are those of LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied
to Document Recognition, Proc. IEEE 86(11), 1998.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pixels(nn.Module):
    """(N, 1, 28, 28) raw pixels, uint8 or float, 0 to 255 -> (N, 1, 28 + 2p, 28 + 2p) levels.

    Level 0 becomes ``background``, level 255 becomes ``ink``, and ``padding`` pixels of background
    are put on each side. The levels have the dtype of the network (``net.double()`` computes in
    float64).
    """

    divisor: Tensor

    def __init__(self, *, background: float, ink: float, padding: int = 0) -> None:
        super().__init__()
        self.background, self.padding = background, padding
        # Dividing, not multiplying by a rounded reciprocal, gives exactly pixel/255.
        self.register_buffer("divisor", torch.tensor(255 / (ink - background)), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Scale and pad.

        Raises:
            ValueError: The shape is not (N, 1, 28, 28).
            TypeError: The dtype is neither uint8 nor floating.
        """
        if images.ndim != 4 or images.shape[1:] != (1, 28, 28):
            raise ValueError(
                f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}; "
                "one image needs images[None, None]"
            )
        if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
            raise TypeError(
                f"expected pixel levels 0 to 255 as uint8 or float, got {images.dtype}; "
                "convert with images.to(torch.uint8)"
            )
        levels = images.to(self.divisor.dtype) / self.divisor + self.background
        return F.pad(levels, [self.padding] * 4, value=self.background)


class ScaledTanh(nn.Module):
    """a -> 1.7159 tanh(2a/3), the squashing function of appendix A; f(1) = 1, f(-1) = -1."""

    def forward(self, activation: Tensor) -> Tensor:
        """Squash; any shape."""
        return 1.7159 * torch.tanh(activation * (2 / 3))


class Subsample(nn.Module):
    """(N, C, H, W) -> (N, C, H/2, W/2): layers S2 and S4 of section II-B, before the squashing.

    The four inputs of each 2x2 window are added, multiplied by a trainable coefficient, and a
    trainable bias is added; one coefficient (``weight``) and one bias for each map.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, maps: Tensor) -> Tensor:
        """Add, scale and shift."""
        added = 4 * F.avg_pool2d(maps, 2)
        return added * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """(N, I, H, W) -> (N, O, H-k+1, W-k+1), each output map reading only its row of a table.

    Table I of section II-B. ``table[o]`` lists the input maps that output map ``o`` reads. There
    is one k x k kernel for each entry of the table, held in ``weight`` (entries, k, k) in the
    table's order, and no other: gradients, weight decay and optimiser state touch those only.
    """

    input_maps: Tensor  # (entries,) the map that each kernel reads
    output_maps: Tensor  # (entries,) the map that it adds to
    reads: Tensor  # (O, I) the table as true and false

    def __init__(self, table: Sequence[Sequence[int]], *, in_maps: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        entries = [(o, i) for o, row in enumerate(table) for i in row]
        output_maps, input_maps = torch.tensor(entries).unbind(1)
        reads = torch.zeros(len(table), in_maps, dtype=torch.bool)
        reads[output_maps, input_maps] = True
        self.register_buffer("input_maps", input_maps, persistent=False)
        self.register_buffer("output_maps", output_maps, persistent=False)
        self.register_buffer("reads", reads, persistent=False)
        self.weight = nn.Parameter(torch.zeros(len(entries), kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve.

        One dense convolution, with constant zeros where the table has no entry, is several times
        as fast as sixteen small ones. But 0 * NaN is NaN, so values that are not finite are taken
        out first and make NaN of exactly the output maps that read their map.
        """
        zeros = self.weight.new_zeros(*self.reads.shape, self.kernel, self.kernel)
        dense = zeros.index_put((self.output_maps, self.input_maps), self.weight)
        finite = maps.isfinite()
        convolved = F.conv2d(maps.where(finite, 0), dense, self.bias)
        broken = ~finite.flatten(2).all(2)  # (N, I)
        spoilt = (broken[:, None] & self.reads).any(2)  # (N, O)
        return convolved.masked_fill(spoilt[:, :, None, None], torch.nan)


class EuclideanRBF(nn.Module):
    """(N, J) -> (N, K) penalties y_k = sum_j (x_j - w_kj)^2 (section II-B, eq. 7).

    ``codes`` (K, J) are the fixed parameters w: a buffer, never trained.
    """

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the squared distances."""
        return (features[:, None] - self.codes).square().sum(2)
