"""Five 5x5 convolutions, two pools and a regularised dense layer (msbaoptim-10).

The source states several convolution and max-pool layers, a fully connected layer, a softmax,
regularisation in the dense layers and 453,908 parameters, but not the layers themselves. This is
a reconstruction that meets every stated fact; that the regularisation is a dropout of 0.5 is
assumed. Batch normalisation would add 60 parameters to those that the source counts.
"""

from torch import Tensor, nn

from mnist_arch.errors import suggestion
from mnist_arch.models.heads import Softmax
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import BatchNorm, Pixels
from mnist_arch.models.network import Network

REGULARIZATIONS = ("dropout", "batch_norm", "none")


class RegularizedCNN(Network):
    """conv32 - pool - conv64 - pool - 3 x conv64 - dense30 - dropout - 10; 453,908 parameters.

    Args:
        regularization: Of the dense layer: "dropout", "batch_norm" between its sums and its ReLU,
            which adds 60 parameters, or "none", beside which the recipe's l2 is a third reading.

    Raises:
        ValueError: There is no such regularisation.
    """

    title = "Regularized CNN"
    head = Softmax()

    def __init__(self, regularization: str = "dropout") -> None:
        super().__init__()
        if regularization not in REGULARIZATIONS:
            raise ValueError(suggestion(str(regularization), REGULARIZATIONS))
        self.pixels = Pixels(background=0, ink=1)
        self.conv1 = nn.Conv2d(1, 32, 5, padding="same")  # (N, 32, 28, 28), 832
        self.pool1 = nn.MaxPool2d(2)  # (N, 32, 14, 14)
        self.conv2 = nn.Conv2d(32, 64, 5, padding="same")  # (N, 64, 14, 14), 51,264
        self.pool2 = nn.MaxPool2d(2)  # (N, 64, 7, 7)
        self.conv3 = nn.Conv2d(64, 64, 5, padding="same")  # (N, 64, 7, 7), 102,464
        self.conv4 = nn.Conv2d(64, 64, 5, padding="same")  # (N, 64, 7, 7), 102,464
        self.conv5 = nn.Conv2d(64, 64, 5, padding="same")  # (N, 64, 7, 7), 102,464
        self.dense = nn.Linear(64 * 7 * 7, 30)  # 94,110
        self.norm = BatchNorm(30) if regularization == "batch_norm" else None  # 60
        self.dropout = nn.Dropout(0.5 if regularization == "dropout" else 0.0)
        self.output = nn.Linear(30, 10)  # 310
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.pool1(self.conv1(self.pixels(images)).relu())
        maps = self.pool2(self.conv2(maps).relu())
        maps = self.conv4(self.conv3(maps).relu()).relu()
        features = self.conv5(maps).relu().flatten(1)  # (N, 3136)
        sums = self.dense(features)
        sums = self.norm(sums) if self.norm else sums
        return self.output(self.dropout(sums.relu()))
