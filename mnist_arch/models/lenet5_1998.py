"""LeNet-5 exactly as its paper has it.

LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE
86(11), 1998, section II-B, fig. 2 and appendix A.

Two things are ours: the ten bitmaps are redrawn after the description of fig. 3 (7 wide, 12 high,
stylised digits), and the constant j of eq. 9, a positive number that the paper does not print. It
was chosen on validation images (docs/lenet5_1998.md). The squared distances of eq. 7 are halved in
the loss, as the authors' own programs do (Lush, gb-modules-nn.lsh, class ``e-layer``).
"""

import torch
from torch import Tensor, nn

from mnist_arch.models.heads import RadialBasis
from mnist_arch.models.initialization import fan_in_uniform
from mnist_arch.models.layers import EuclideanRBF, PartialConv2d, Pixels, ScaledTanh, Subsample
from mnist_arch.models.lenet5 import TABLE_I
from mnist_arch.models.network import Network

BITMAPS = """
.#####.  ...##..  .#####.  .#####.  .....##  #######  ..####.  #######  .#####.  .#####.
##...##  ..###..  ##...##  ##...##  ....###  ##.....  .##....  .....##  ##...##  ##...##
##...##  .####..  ##...##  ##...##  ...####  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...##..  .....##  .....##  ..##.##  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...##..  .....##  .....##  .##..##  ######.  ##.....  ....##.  .##.##.  ##...##
##...##  ...##..  ....##.  ..####.  ##...##  .....##  ######.  ...##..  ..###..  .######
##...##  ...##..  ...##..  ..####.  #######  .....##  ##...##  ...##..  .##.##.  .....##
##...##  ...##..  ..##...  .....##  #######  .....##  ##...##  ..##...  ##...##  .....##
##...##  ...##..  .##....  .....##  .....##  .....##  ##...##  ..##...  ##...##  .....##
##...##  ...##..  ##.....  ##...##  .....##  .....##  ##...##  .##....  ##...##  .....##
##...##  ...##..  ##.....  ##...##  .....##  ##...##  ##...##  .##....  ##...##  ....##.
.#####.  .######  #######  .#####.  .....##  .#####.  .#####.  .##....  .#####.  .####..
"""


def digit_codes() -> Tensor:
    """Return the (10, 84) codes of the ten digits: each bitmap row by row, ink 1, paper -1."""
    rows = [line.split() for line in BITMAPS.split("\n")[1:-1]]
    bitmaps = zip(*rows, strict=True)
    return torch.tensor([[1.0 if c == "#" else -1.0 for c in "".join(b)] for b in bitmaps])


class LeNet5Original(Network):
    """LeNet-5 with trained subsampling, scaled tanh and RBF units; 60,000 parameters.

    The scores are minus the penalties of the RBF units. Inputs: background -0.1, ink 1.175
    (section II-B).
    """

    title = "LeNet-5 of 1998"
    head = RadialBasis(j=60, factor=0.5)

    def __init__(self) -> None:
        super().__init__()
        self.pixels = Pixels(background=-0.1, ink=1.175, padding=2)  # (N, 1, 32, 32)
        self.squash = ScaledTanh()
        self.c1 = nn.Conv2d(1, 6, 5)  # (N, 6, 28, 28), 156
        self.s2 = Subsample(6)  # (N, 6, 14, 14), 12
        self.c3 = PartialConv2d(TABLE_I, in_maps=6, kernel=5)  # (N, 16, 10, 10), 1,516
        self.s4 = Subsample(16)  # (N, 16, 5, 5), 32
        self.c5 = nn.Conv2d(16, 120, 5)  # (N, 120, 1, 1), 48,120
        self.f6 = nn.Linear(120, 84)  # 10,164
        self.output = EuclideanRBF(digit_codes())  # (N, 10), nothing trained
        fan_in_uniform(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) scores."""
        return self.scores(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 84) F6, in which eq. 9 is convex."""
        maps = self.squash(self.s2(self.squash(self.c1(self.pixels(images)))))
        maps = self.squash(self.s4(self.squash(self.c3(maps))))
        units = self.squash(self.c5(maps)).flatten(1)  # (N, 120)
        return self.squash(self.f6(units))

    def scores(self, features: Tensor) -> Tensor:
        """(N, 84) F6 -> (N, 10) scores."""
        return -self.output(features)
