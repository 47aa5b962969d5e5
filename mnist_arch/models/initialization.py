"""The starting weights of the sources; drawn from torch's global generator, as PyTorch does."""

import torch
from torch import Tensor, nn

from mnist_arch.models.layers import PartialConv2d, Subsample


def glorot_uniform(net: nn.Module) -> None:
    """Keras's default: kernels U(-b, b), b = sqrt(6 / (fan_in + fan_out)); biases zero.

    The fans are those of Glorot and Bengio 2010, eq. 16: for a convolution, kernel area times
    input or output channels.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, PartialConv2d):
            area = module.kernel**2
            fan_in = area * module.connected.sum(1)[module.output_maps]
            fan_out = area * module.connected.sum(0)[module.input_maps]
            _uniform_(module.weight, (6 / (fan_in + fan_out)).sqrt())
        else:
            continue
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def he_normal(convolution: nn.Conv2d) -> None:
    """Keras's he_normal: sd sqrt(2 / fan_in) after truncation at two sd of the drawn normal."""
    fan_in = convolution.weight[0].numel()
    # 0.8796... is the sd of a standard normal that is cut at +-2; Keras divides by it.
    drawn = (2 / fan_in) ** 0.5 / 0.87962566103423978
    nn.init.trunc_normal_(convolution.weight, std=drawn, a=-2 * drawn, b=2 * drawn)


def fan_in_uniform(net: nn.Module, power: float = 1.0) -> None:
    """Weights and biases U(-2.4/F^power, 2.4/F^power), F the unit's fan-in.

    LeCun et al. 1998, appendix A, prints 2.4/F, so that the weighted sums have standard deviations
    of the same range in each unit. It chose to assume inputs that vary together, whose sums grow
    like F; for independent ones they grow like sqrt(F), which asks for a power of 0.5.
    """
    for module in net.modules():
        if isinstance(module, PartialConv2d):
            bounds = 2.4 / (module.kernel**2 * module.connected.sum(1)) ** power
            _uniform_(module.weight, bounds[module.output_maps])
            _uniform_(module.bias, bounds)
        elif isinstance(module, (nn.Conv2d, nn.Linear, Subsample)):
            fan_in = 4 if isinstance(module, Subsample) else module.weight[0].numel()
            bound = 2.4 / fan_in**power
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound)


def lush_uniform(net: nn.Module, factor: float = 1.0) -> None:
    """Kernels U(-factor/sqrt(F), factor/sqrt(F)), biases 0, subsampling coefficients 0.5.

    With a factor of 1 as the authors' own libraries start: Lush, gb-modules-nn.lsh, and EBLearn.
    LeCun, Bottou, Orr, Mueller: Efficient BackProp, 1998, eq. 16, asks for a standard deviation
    of 1/sqrt(F), a factor of sqrt(3).
    """
    for module in net.modules():
        if isinstance(module, PartialConv2d):
            fan_in = module.kernel**2 * module.connected.sum(1)[module.output_maps]
            _uniform_(module.weight, factor / fan_in.sqrt())
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = factor / module.weight[0].numel() ** 0.5
            nn.init.uniform_(module.weight, -bound, bound)
        elif isinstance(module, Subsample):
            nn.init.constant_(module.weight, 0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _uniform_(parameter: Tensor, bounds: Tensor) -> None:
    """Fill with U(-b, b), a bound b for each leading index."""
    nn.init.uniform_(parameter, -1, 1)
    with torch.no_grad():
        parameter.mul_(bounds.reshape(-1, *[1] * (parameter.ndim - 1)))
