"""The architectures, one file each, named as on the command line."""

from mnist_arch.models.augmented_cnn import AugmentedCNN
from mnist_arch.models.dense import Dense
from mnist_arch.models.dropout_cnn import DropoutCNN
from mnist_arch.models.lenet5 import LeNet5
from mnist_arch.models.lenet5_1998 import LeNet51998
from mnist_arch.models.mlp import MLP
from mnist_arch.models.network import Network
from mnist_arch.models.regularized_cnn import RegularizedCNN
from mnist_arch.models.tanh_cnn import TanhCNN

ARCHITECTURES: dict[str, type[Network]] = {
    "dense": Dense,
    "mlp": MLP,
    "dropout_cnn": DropoutCNN,
    "lenet5": LeNet5,
    "lenet5_1998": LeNet51998,
    "tanh_cnn": TanhCNN,
    "regularized_cnn": RegularizedCNN,
    "augmented_cnn": AugmentedCNN,
}

__all__ = ["ARCHITECTURES", *(net.__name__ for net in ARCHITECTURES.values()), "Network"]
