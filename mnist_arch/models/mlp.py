"""A multi-layer perceptron with one hidden layer (soorya-2021)."""

from torch import Tensor, nn

from mnist_arch.models.heads import KerasSigmoid
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import Pixels
from mnist_arch.models.network import Network


class MLP(Network):
    """784 pixels -> 100 ReLU -> 10 sigmoids; 79,510 parameters. Inputs are pixel/255."""

    title = "MLP"
    head = KerasSigmoid()

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=0, ink=1)
        self.hidden = nn.Linear(784, 100)  # 78,500
        self.output = nn.Linear(100, 10)  # 1,010
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        return self.output(self.hidden(self.pixels(images).flatten(1)).relu())
