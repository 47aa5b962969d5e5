"""One dense layer (soorya-2021): the baseline of all."""

from torch import Tensor, nn

from mnist_arch.models.heads import KerasSigmoid
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import Pixels
from mnist_arch.models.network import Network


class Dense(Network):
    """784 pixels -> 10 sigmoids; 7,850 parameters. Inputs are pixel/255."""

    title = "Dense"
    head = KerasSigmoid()

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=0, ink=1)
        self.output = nn.Linear(784, 10)  # 7,850
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        return self.output(self.pixels(images).flatten(1))
