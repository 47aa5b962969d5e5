"""Every row of every table that the sources give: shape, trainable parameters, connections."""

import pytest
import torch

import mnist_arch

# name of the layer: output of one image, trainable parameters
TABLES = {
    "dense": {"output": ((10,), 7_850)},
    "mlp": {"hidden": ((100,), 78_500), "output": ((10,), 1_010)},
    "dropout_cnn": {
        "conv1": ((32, 26, 26), 320),
        "conv2": ((64, 24, 24), 18_496),
        "pool": ((64, 12, 12), 0),
        "dense": ((128,), 1_179_776),
        "output": ((10,), 1_290),
    },
    "lenet5": {
        "pixels": ((1, 32, 32), 0),
        "c1": ((6, 28, 28), 156),
        "s2": ((6, 14, 14), 0),
        "c3": ((16, 10, 10), 1_516),
        "s4": ((16, 5, 5), 0),
        "c5": ((120, 1, 1), 48_120),
        "f6": ((84,), 10_164),
        "output": ((10,), 850),
    },
    "lenet5_1998": {
        "pixels": ((1, 32, 32), 0),
        "c1": ((6, 28, 28), 156),
        "s2": ((6, 14, 14), 12),
        "c3": ((16, 10, 10), 1_516),
        "s4": ((16, 5, 5), 32),
        "c5": ((120, 1, 1), 48_120),
        "f6": ((84,), 10_164),
        "output": ((10,), 0),
    },
    "tanh_cnn": {
        "conv1": ((20, 23, 23), 740),
        "conv2": ((20, 21, 21), 3_620),
        "pool1": ((20, 18, 18), 0),
        "conv3": ((10, 13, 13), 7_210),
        "conv4": ((10, 11, 11), 910),
        "pool2": ((10, 8, 8), 0),
        "dense": ((30,), 19_230),
        "output": ((10,), 310),
    },
    "regularized_cnn": {
        "conv1": ((32, 28, 28), 832),
        "pool1": ((32, 14, 14), 0),
        "conv2": ((64, 14, 14), 51_264),
        "pool2": ((64, 7, 7), 0),
        "conv3": ((64, 7, 7), 102_464),
        "conv4": ((64, 7, 7), 102_464),
        "conv5": ((64, 7, 7), 102_464),
        "dense": ((30,), 94_110),
        "output": ((10,), 310),
    },
    "augmented_cnn": {
        "conv1": ((32, 28, 28), 832),
        "conv2": ((32, 28, 28), 25_632),
        "pool1": ((32, 14, 14), 0),
        "conv3": ((64, 14, 14), 18_496),
        "conv4": ((64, 14, 14), 36_928),
        "pool2": ((64, 7, 7), 0),
        "dense": ((256,), 803_072),
        "output": ((10,), 2_570),
    },
    "batchnorm_cnn": {
        "conv1": ((32, 26, 26), 320),
        "norm1": ((32, 26, 26), 64),
        "conv2": ((32, 24, 24), 9_248),
        "norm2": ((32, 24, 24), 64),
        "conv3": ((32, 12, 12), 25_632),
        "norm3": ((32, 12, 12), 64),
        "conv4": ((64, 10, 10), 18_496),
        "norm4": ((64, 10, 10), 128),
        "conv5": ((64, 8, 8), 36_928),
        "norm5": ((64, 8, 8), 128),
        "conv6": ((64, 4, 4), 102_464),
        "norm6": ((64, 4, 4), 128),
        "conv7": ((128, 1, 1), 131_200),
        "norm7": ((128, 1, 1), 256),
        "output": ((10,), 1_290),
    },
}
TOTALS = {
    "dense": 7_850,
    "mlp": 79_510,
    "dropout_cnn": 1_199_882,
    "lenet5": 60_806,
    "lenet5_1998": 60_000,
    "tanh_cnn": 32_020,
    "regularized_cnn": 453_908,
    "augmented_cnn": 887_530,
    "batchnorm_cnn": 326_410,
}
DROPOUTS = {
    "dropout_cnn": [0.25, 0.5],
    "tanh_cnn": [0.05, 0.05],
    "regularized_cnn": [0.5],
    "augmented_cnn": [0.2, 0.25, 0.5],
    "batchnorm_cnn": [0.4, 0.4, 0.4],
}
ROWS = [(name, layer, *row) for name, table in TABLES.items() for layer, row in table.items()]
# LeCun et al. 1998, section II-B; 340,908 with the 840 of the output.
CONNECTIONS = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164}


def inputs_and_outputs(name: str, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    net, seen = mnist_arch.build(name).eval(), []
    hook = lambda _module, inputs, output: seen.append((inputs[0], output))  # noqa: E731
    net.get_submodule(layer).register_forward_hook(hook)
    net(torch.zeros(1, 1, 28, 28))
    (pair,) = seen
    return pair


@pytest.mark.parametrize(("name", "layer", "shape", "trainable"), ROWS)
def test_layer_is_the_tables(
    name: str, layer: str, shape: tuple[int, ...], trainable: int
) -> None:
    assert inputs_and_outputs(name, layer)[1].shape[1:] == shape
    module = mnist_arch.build(name).get_submodule(layer)
    assert sum(parameter.numel() for parameter in module.parameters()) == trainable


@pytest.mark.parametrize("name", TOTALS)
def test_total_is_the_tables(name: str) -> None:
    net = mnist_arch.build(name)
    assert net.parameter_count == TOTALS[name]
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_batchnorm_cnn_has_327242_numbers_with_the_moving_statistics() -> None:
    state = mnist_arch.build("batchnorm_cnn").state_dict()
    assert sum(value.numel() for value in state.values()) == 327_242


@pytest.mark.parametrize("name", TOTALS)
def test_all_but_dense_and_mlp_are_convolutional(name: str) -> None:
    assert mnist_arch.build(name).is_convolutional == (name not in ("dense", "mlp"))


def test_the_tables_name_every_architecture() -> None:
    assert set(mnist_arch.architectures()) == TABLES.keys() == TOTALS.keys()


@pytest.mark.parametrize("name", TOTALS)
def test_dropout_rates_are_the_sources(name: str) -> None:
    modules = mnist_arch.build(name).modules()
    rates = [module.p for module in modules if isinstance(module, torch.nn.Dropout)]
    assert rates == DROPOUTS.get(name, [])


@pytest.mark.parametrize("layer", CONNECTIONS)
def test_lenet5_1998_has_the_papers_connections(layer: str) -> None:
    """A connection is an input that an output depends on; each unit's bias is one more."""
    module = mnist_arch.build("lenet5_1998").get_submodule(layer)
    x = torch.rand(inputs_and_outputs("lenet5_1998", layer)[0].shape)
    jacobian = torch.autograd.functional.jacobian(module, x)
    outputs = module(x).numel()
    assert int(jacobian.count_nonzero()) + outputs == CONNECTIONS[layer]


def test_lenet5_1998_has_340908_connections_with_the_outputs_840() -> None:
    module = mnist_arch.build("lenet5_1998").get_submodule("output")
    jacobian = torch.autograd.functional.jacobian(module, torch.rand(1, 84))
    assert int(jacobian.count_nonzero()) == 840
    assert sum(CONNECTIONS.values()) + 840 == 340_908
