"""Layers that PyTorch lacks: raw pixels, two of Keras, and four of LeNet-5.

The section numbers are those of LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied
to Document Recognition, Proc. IEEE 86(11), 1998.
"""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of the 47,040,000 pixel values of MNIST's training images.
MEAN, STANDARD_DEVIATION = 33.318421, 78.567490


class Pixels(nn.Module):
    """(N, 1, 28, 28) raw pixels, uint8 or float, 0 to 255 -> (N, 1, 28 + 2p, 28 + 2p) scaled.

    0 becomes ``background``, 255 becomes ``ink``, and p = ``padding`` pixels of background are
    added on each side. The result has the dtype of the network (``net.double()`` computes in
    float64).
    """

    divisor: Tensor

    def __init__(self, *, background: float, ink: float, padding: int = 0) -> None:
        super().__init__()
        self.background, self.padding = background, padding
        self.known = self.warned = False  # what is known of float images
        # Dividing, not multiplying by a rounded reciprocal, gives exactly pixel/255.
        self.register_buffer("divisor", torch.tensor(255 / (ink - background)), persistent=False)

    def standardize(self) -> None:
        """From now on give pixel values less MNIST's mean, over its standard deviation."""
        self.background = -MEAN / STANDARD_DEVIATION
        self.divisor.fill_(STANDARD_DEVIATION)

    def forward(self, images: Tensor) -> Tensor:
        """Scale and pad; warns once of float images that never exceed 1.

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
                f"expected pixel values 0 to 255 as uint8 or float, got {images.dtype}; "
                "convert with images.to(torch.uint8)"
            )
        looking = images.is_floating_point() and not torch.compiler.is_compiling()
        if looking and not (self.warned or (self.known and self.training)):
            self._warn_if_scaled(images)
        scaled = images.to(self.divisor.dtype) / self.divisor
        if self.background:
            scaled = scaled + self.background
        return F.pad(scaled, [self.padding] * 4, value=self.background) if self.padding else scaled

    def _warn_if_scaled(self, images: Tensor) -> None:
        """Warn of a batch that has ink and no value above 1, as torchvision's ToTensor makes it.

        Of what trains, the first batch is looked at and no other. Nothing is looked at that has no
        values yet: where a function is traced, exported, compiled or mapped.
        """
        if not images.numel():
            return
        self.known = True
        try:
            greatest = float(images.detach().amax())
        except RuntimeError:
            return
        if 0 < greatest <= 1:
            warnings.warn(
                "images of floats that never exceed 1: a network takes pixel values from 0 to "
                "255; call it with images * 255",
                stacklevel=2,
            )
            self.warned = True
        self.known = greatest > 1


class SameConv2d(nn.Conv2d):
    """(N, I, H, W) -> (N, O, H/s, W/s): a convolution of stride s with Keras's padding "same".

    H and W must be multiples of s. Of the k - s rows and columns of padding the smaller half is
    added at the top and left, as TensorFlow does; nn.Conv2d can only pad both sides alike.
    """

    def __init__(self, in_maps: int, out_maps: int, kernel: int, *, stride: int) -> None:
        super().__init__(in_maps, out_maps, kernel, stride)
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.sides = (before, after, before, after)

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(F.pad(maps, self.sides))


class BatchNorm(nn.Module):
    """(N, C, H, W) -> the same, each map with mean 0 and variance 1, then scaled and shifted.

    Keras's BatchNormalization with its defaults, momentum 0.99 and epsilon 1e-3. In training mode
    mean and variance are those of the batch; in evaluation mode, their moving averages.

    nn.BatchNorm2d differs in two ways. Its moving variance averages n/(n - 1) times the variance
    of a batch that has n values in each map; Keras's averages the variance itself. And it refuses
    n = 1, where Keras takes the variance as 0.
    """

    moving_mean: Tensor  # (C,)
    moving_variance: Tensor  # (C,)

    def __init__(self, maps: int, *, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(maps))  # gamma
        self.bias = nn.Parameter(torch.zeros(maps))  # beta
        self.register_buffer("moving_mean", torch.zeros(maps))
        self.register_buffer("moving_variance", torch.ones(maps))

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise; in training mode, update the moving averages too."""
        scale, shift, eps = self.weight, self.bias, self.epsilon
        if not self.training:
            return F.batch_norm(
                maps, self.moving_mean, self.moving_variance, scale, shift, eps=eps
            )
        mean, variance = torch.zeros_like(self.moving_mean), torch.zeros_like(self.moving_mean)
        count = maps.numel() // len(mean)
        if count > 1:
            # With momentum 1 these become the batch's own, for the price of one call.
            normalised = F.batch_norm(maps, mean, variance, scale, shift, True, 1, eps)
            variance = variance * ((count - 1) / count)
        else:
            mean = maps.detach().flatten().to(mean.dtype)
            normalised = (maps - maps) * scale[:, None, None] + shift[:, None, None]
        with torch.no_grad():
            self.moving_mean.mul_(self.momentum).add_(mean, alpha=1 - self.momentum)
            self.moving_variance.mul_(self.momentum).add_(variance, alpha=1 - self.momentum)
        return normalised


class ScaledTanh(nn.Module):
    """a -> 1.7159 tanh(2a/3), the squashing function of appendix A; f(1) = 1, f(-1) = -1."""

    def forward(self, activation: Tensor) -> Tensor:
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
        added = 4 * F.avg_pool2d(maps, 2)
        return added * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """(N, I, H, W) -> (N, O, H-k+1, W-k+1), each output map connected to some input maps only.

    Table I of section II-B. ``table[o]`` lists the input maps that output map ``o`` is connected
    to. There is one k x k kernel for each entry of the table, held in ``weight`` (entries, k, k)
    in the table's order, and no other: gradients, weight decay and optimiser state have these
    only.
    """

    input_maps: Tensor  # (entries,) the input map of each kernel
    output_maps: Tensor  # (entries,) its output map
    connected: Tensor  # (O, I) the table as true and false

    def __init__(self, table: Sequence[Sequence[int]], *, in_maps: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        entries = [(o, i) for o, row in enumerate(table) for i in row]
        output_maps, input_maps = torch.tensor(entries).unbind(1)
        connected = torch.zeros(len(table), in_maps, dtype=torch.bool)
        connected[output_maps, input_maps] = True
        self.register_buffer("input_maps", input_maps, persistent=False)
        self.register_buffer("output_maps", output_maps, persistent=False)
        self.register_buffer("connected", connected, persistent=False)
        self.weight = nn.Parameter(torch.zeros(len(entries), kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve.

        One dense convolution, with constant zeros where the table has no entry, is several times
        as fast as a small one for each output map.
        """
        zeros = self.weight.new_zeros(*self.connected.shape, self.kernel, self.kernel)
        dense = zeros.index_put((self.output_maps, self.input_maps), self.weight)
        return F.conv2d(maps, dense, self.bias)


class EuclideanRBF(nn.Module):
    """(N, J) -> (N, K) penalties y_k = sum_j (x_j - w_kj)^2 (section II-B, eq. 7).

    ``codes`` (K, J) are the fixed parameters w: a buffer, never trained.
    """

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return (features[:, None] - self.codes).square().sum(2)
