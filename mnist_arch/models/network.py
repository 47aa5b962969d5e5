"""What all architectures are: raw pixels in, ten scores out."""

from typing import ClassVar

from torch import Tensor, nn

from mnist_arch.models.heads import Head


class Network(nn.Module):
    """(N, 1, 28, 28) raw pixels, uint8 or float, 0 background to 255 ink -> (N, 10) scores.

    The greatest score wins. Scaling and padding of the pixels happen inside, so one data module
    serves every network; what the scores mean is said by ``head``. Apart from dropout, which acts
    in training mode only, a network is a plain function of its parameters and the pixels.
    """

    head: ClassVar[Head]

    def probabilities(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, 10) probabilities, as the head defines them."""
        return self.head.probabilities(self(images))

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) raw pixels -> (N, J) what the loss is convex in: mostly the scores."""
        return self(images)

    def scores(self, features: Tensor) -> Tensor:
        """(N, J) features -> (N, 10) scores."""
        return features
