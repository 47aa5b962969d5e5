"""The net that its source trains on augmented digits (stamkav-2022, "Architecture used")."""

from torch import Tensor, nn

from mnist_arch.models.heads import Softmax
from mnist_arch.models.initialization import glorot_uniform, he_normal
from mnist_arch.models.layers import Pixels
from mnist_arch.models.network import Network


class AugmentedCNN(Network):
    """2 x conv32 - pool - 2 x conv64 - pool - dense256 - 10 with dropout; 887,530 parameters."""

    title = "Augmented CNN"
    head = Softmax()

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=0, ink=1)
        self.conv1 = nn.Conv2d(1, 32, 5, padding="same")  # (N, 32, 28, 28), 832
        self.conv2 = nn.Conv2d(32, 32, 5, padding="same")  # (N, 32, 28, 28), 25,632
        self.pool1 = nn.MaxPool2d(2)  # (N, 32, 14, 14)
        self.dropout1 = nn.Dropout(0.2)
        self.conv3 = nn.Conv2d(32, 64, 3, padding="same")  # (N, 64, 14, 14), 18,496
        self.conv4 = nn.Conv2d(64, 64, 3, padding="same")  # (N, 64, 14, 14), 36,928
        self.pool2 = nn.MaxPool2d(2)  # (N, 64, 7, 7)
        self.dropout2 = nn.Dropout(0.25)
        self.dense = nn.Linear(64 * 7 * 7, 256)  # 803,072
        self.dropout3 = nn.Dropout(0.5)
        self.output = nn.Linear(256, 10)  # 2,570
        glorot_uniform(self)
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            he_normal(convolution)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.conv2(self.conv1(self.pixels(images)).relu()).relu()
        maps = self.dropout1(self.pool1(maps))
        maps = self.conv4(self.conv3(maps).relu()).relu()
        features = self.dropout2(self.pool2(maps)).flatten(1)  # (N, 3136)
        return self.output(self.dropout3(self.dense(features).relu()))
