"""Seven convolutions, each with batch normalisation, and no pools (stamkav-2022, its notebook).

The notebook builds fifteen copies of it for an ensemble and trains none of them, so there is no
claim.
"""

from torch import Tensor, nn

from mnist_arch.models.heads import Head, Softmax, SoftmaxOrNone
from mnist_arch.models.initialization import glorot_uniform
from mnist_arch.models.layers import BatchNorm, Pixels, SameConv2d
from mnist_arch.models.network import Network


class BatchNormCNN(Network):
    """3 x conv32 - 3 x conv64 - conv128 - 10, batch norm and dropout; 326,410 parameters.

    The moving means and variances of the seven batch norms are 832 numbers more.

    Args:
        rejecting: Whether there is a class "none of them" beside the ten, for what is no digit;
            the source has none.
    """

    title = "Batch-norm CNN"
    head: Head = Softmax()

    def __init__(self, rejecting: bool = False) -> None:
        super().__init__()
        if rejecting:
            self.head = SoftmaxOrNone()
        self.pixels = Pixels(background=0, ink=1)
        self.conv1 = nn.Conv2d(1, 32, 3)  # (N, 32, 26, 26), 320
        self.norm1 = BatchNorm(32)  # 64
        self.conv2 = nn.Conv2d(32, 32, 3)  # (N, 32, 24, 24), 9,248
        self.norm2 = BatchNorm(32)  # 64
        self.conv3 = SameConv2d(32, 32, 5, stride=2)  # (N, 32, 12, 12), 25,632
        self.norm3 = BatchNorm(32)  # 64
        self.dropout1 = nn.Dropout(0.4)
        self.conv4 = nn.Conv2d(32, 64, 3)  # (N, 64, 10, 10), 18,496
        self.norm4 = BatchNorm(64)  # 128
        self.conv5 = nn.Conv2d(64, 64, 3)  # (N, 64, 8, 8), 36,928
        self.norm5 = BatchNorm(64)  # 128
        self.conv6 = SameConv2d(64, 64, 5, stride=2)  # (N, 64, 4, 4), 102,464
        self.norm6 = BatchNorm(64)  # 128
        self.dropout2 = nn.Dropout(0.4)
        self.conv7 = nn.Conv2d(64, 128, 4)  # (N, 128, 1, 1), 131,200
        self.norm7 = BatchNorm(128)  # 256
        self.dropout3 = nn.Dropout(0.4)
        self.output = nn.Linear(128, 10)  # 1,290
        glorot_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        maps = self.norm1(self.conv1(self.pixels(images)).relu())
        maps = self.norm2(self.conv2(maps).relu())
        maps = self.dropout1(self.norm3(self.conv3(maps).relu()))
        maps = self.norm4(self.conv4(maps).relu())
        maps = self.norm5(self.conv5(maps).relu())
        maps = self.dropout2(self.norm6(self.conv6(maps).relu()))
        features = self.norm7(self.conv7(maps).relu()).flatten(1)  # (N, 128)
        return self.output(self.dropout3(features))
