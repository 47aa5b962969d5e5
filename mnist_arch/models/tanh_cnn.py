"""The net with 20 filters and a tanh layer before its softmax (yadati-2017, README and code)."""

from torch import Tensor, nn

from mnist_arch.models.heads import Softmax
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import Pixels
from mnist_arch.models.network import Network


class TanhCNN(Network):
    """Four convolutions, two 4x4 pools of stride 1, 30 tanh units; 32,020 parameters.

    Inputs are the raw 0 to 255: the source's code does not scale them.
    """

    title = "Tanh CNN"
    head = Softmax()

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=0, ink=255)
        self.conv1 = nn.Conv2d(1, 20, 6)  # (N, 20, 23, 23), 740
        self.conv2 = nn.Conv2d(20, 20, 3)  # (N, 20, 21, 21), 3,620
        self.pool1 = nn.MaxPool2d(4, stride=1)  # (N, 20, 18, 18)
        self.dropout1 = nn.Dropout(0.05)
        self.conv3 = nn.Conv2d(20, 10, 6)  # (N, 10, 13, 13), 7,210
        self.conv4 = nn.Conv2d(10, 10, 3)  # (N, 10, 11, 11), 910
        self.pool2 = nn.MaxPool2d(4, stride=1)  # (N, 10, 8, 8)
        self.dropout2 = nn.Dropout(0.05)
        self.dense = nn.Linear(10 * 8 * 8, 30)  # 19,230
        self.output = nn.Linear(30, 10)  # 310
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.conv2(self.conv1(self.pixels(images)).relu()).relu()
        maps = self.dropout1(self.pool1(maps))
        maps = self.conv4(self.conv3(maps).relu()).relu()
        features = self.dropout2(self.pool2(maps)).flatten(1)  # (N, 640)
        return self.output(self.dense(features).tanh())
