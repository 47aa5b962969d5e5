"""Two convolutions, a pool and two dense layers with dropout (ann-vs-cnn).

Layers, filters, kernel sizes, pool and units are stated by the source. It is silent on the two
dropout rates: 0.25 and 0.5 are assumed, those of the Keras example that it follows.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_arch.models.heads import Softmax
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import Pixels
from mnist_arch.models.network import Network


class DropoutCNN(Network):
    """conv32 - conv64 - pool - dropout - dense128 - dropout - 10; 1,199,882 parameters.

    Args:
        rates: Of the two dropout layers.
    """

    title = "Dropout CNN"
    head = Softmax()

    def __init__(self, rates: Sequence[float] = (0.25, 0.5)) -> None:
        super().__init__()
        first, second = rates
        self.pixels = Pixels(background=0, ink=1)
        self.conv1 = nn.Conv2d(1, 32, 3)  # (N, 32, 26, 26), 320
        self.conv2 = nn.Conv2d(32, 64, 3)  # (N, 64, 24, 24), 18,496
        self.pool = nn.MaxPool2d(2)  # (N, 64, 12, 12)
        self.dropout1 = nn.Dropout(first)
        self.dense = nn.Linear(64 * 12 * 12, 128)  # 1,179,776
        self.dropout2 = nn.Dropout(second)
        self.output = nn.Linear(128, 10)  # 1,290
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.conv2(self.conv1(self.pixels(images)).relu()).relu()
        features = self.dropout1(self.pool(maps)).flatten(1)  # (N, 9216)
        return self.output(self.dropout2(self.dense(features).relu()))
