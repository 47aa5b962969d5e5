"""LeNet-5 as it is usually rebuilt: average pooling, partial C3, softmax (stamkav-2022).

The layers are those of LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document
Recognition, Proc. IEEE 86(11), 1998, section II-B, with parameter-free average pools for S2 and S4
and a softmax for the RBF units; `lenet5_1998` has those as the paper has them.

Assumed, the source being silent: tanh after C1, C3, C5 and F6, nothing after the pools; inputs
pixel/255; Glorot-uniform kernels and zero biases.
"""

import torch
from torch import Tensor, nn

from mnist_arch.errors import suggestion
from mnist_arch.models.heads import Softmax
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import PartialConv2d, Pixels
from mnist_arch.models.network import Network

TABLE_I = (  # the S2 maps that each C3 map is connected to: 60 pairs
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class LeNet5(Network):
    """LeNet-5 with average pooling and a softmax; 60,806 parameters.

    Args:
        activation: After C1, C3, C5 and F6: one of `ACTIVATIONS`.

    Raises:
        ValueError: There is no such activation.
    """

    title = "LeNet-5"
    head = Softmax()

    def __init__(self, activation: str = "tanh") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(suggestion(str(activation), ACTIVATIONS))
        self.activation = ACTIVATIONS[activation]
        self.pixels = Pixels(background=0, ink=1, padding=2)  # (N, 1, 32, 32)
        self.c1 = nn.Conv2d(1, 6, 5)  # (N, 6, 28, 28), 156
        self.s2 = nn.AvgPool2d(2)  # (N, 6, 14, 14)
        self.c3 = PartialConv2d(TABLE_I, in_maps=6, kernel=5)  # (N, 16, 10, 10), 1,516
        self.s4 = nn.AvgPool2d(2)  # (N, 16, 5, 5)
        self.c5 = nn.Conv2d(16, 120, 5)  # (N, 120, 1, 1), 48,120
        self.f6 = nn.Linear(120, 84)  # 10,164
        self.output = nn.Linear(84, 10)  # 850
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.s2(self.activation(self.c1(self.pixels(images))))
        maps = self.s4(self.activation(self.c3(maps)))
        features = self.activation(self.c5(maps)).flatten(1)  # (N, 120)
        return self.output(self.activation(self.f6(features)))
