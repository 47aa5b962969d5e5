"""The seven Keras nets against Keras itself, in float64 on real digits.

Each net is written a second time as a Keras user writes it, and starts from our weights. What
Keras computes on PyTorch must then be what we compute, but for its clipping, which has a test of
its own. (On TensorFlow Keras trains sigmoids by another loss, which is the own one of `dense` and
`mlp`: see models/heads.py.)
"""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mnist_arch
from mnist_arch.data.batches import Batches, Chunks
from mnist_arch.data.splits import Split
from mnist_arch.models.heads import KerasSigmoid, Softmax, keras_on_pytorch
from mnist_arch.models.layers import BatchNorm
from mnist_arch.models.network import Network
from mnist_arch.runs import assemble
from mnist_arch.runs.config import compose
from mnist_arch.training.classifier import Classifier
from mnist_arch.training.optimizers import parameter_groups
from tests.training.test_classifier import digits, trainer

with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as environment:
    # Keras reads and writes its settings while it is imported: never those of a user.
    environment.setenv("KERAS_HOME", home)
    environment.setenv("KERAS_BACKEND", "torch")
    environment.setenv("KERAS_TORCH_DEVICE", "cpu")
    import keras
    from keras.layers import (
        BatchNormalization,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        Layer,
        MaxPooling2D,
    )
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
# Of float64 matrices Keras computes a float32 product, except on TensorFlow (its issue 23704).
BIT64_TO_BIT32_DTYPE["float64"] = "float64"

convolution = partial(Conv2D, activation="relu")
he_convolution = partial(convolution, padding="same", kernel_initializer="he_normal")
l2 = {"kernel_regularizer": keras.regularizers.L2(0.04)}
NETS: dict[str, Callable[[], list[Layer]]] = {
    "dense": lambda: [Flatten(), Dense(10, "sigmoid")],
    "mlp": lambda: [Flatten(), Dense(100, "relu"), Dense(10, "sigmoid")],
    "dropout_cnn": lambda: [
        convolution(32, 3),
        convolution(64, 3),
        MaxPooling2D(2),
        Dropout(0.25),
        Flatten(),
        Dense(128, "relu"),
        Dropout(0.5),
        Dense(10, "softmax"),
    ],
    "tanh_cnn": lambda: [
        convolution(20, 6, **l2),
        convolution(20, 3, **l2),
        MaxPooling2D(4, strides=1),
        Dropout(0.05),
        convolution(10, 6, **l2),
        convolution(10, 3, **l2),
        MaxPooling2D(4, strides=1),
        Dropout(0.05),
        Flatten(),
        Dense(30, "tanh", **l2),
        Dense(10, "softmax", **l2),
    ],
    "regularized_cnn": lambda: [
        convolution(32, 5, padding="same"),
        MaxPooling2D(2),
        convolution(64, 5, padding="same"),
        MaxPooling2D(2),
        convolution(64, 5, padding="same"),
        convolution(64, 5, padding="same"),
        convolution(64, 5, padding="same"),
        Flatten(),
        Dense(30, "relu"),
        Dropout(0.5),
        Dense(10, "softmax"),
    ],
    "augmented_cnn": lambda: [
        he_convolution(32, 5),
        he_convolution(32, 5),
        MaxPooling2D(2),
        Dropout(0.2),
        he_convolution(64, 3),
        he_convolution(64, 3),
        MaxPooling2D(2),
        Dropout(0.25),
        Flatten(),
        Dense(256, "relu"),
        Dropout(0.5),
        Dense(10, "softmax"),
    ],
    "batchnorm_cnn": lambda: [
        convolution(32, 3),
        BatchNormalization(),
        convolution(32, 3),
        BatchNormalization(),
        convolution(32, 5, strides=2, padding="same"),
        BatchNormalization(),
        Dropout(0.4),
        convolution(64, 3),
        BatchNormalization(),
        convolution(64, 3),
        BatchNormalization(),
        convolution(64, 5, strides=2, padding="same"),
        BatchNormalization(),
        Dropout(0.4),
        convolution(128, 4),
        BatchNormalization(),
        Flatten(),
        Dropout(0.4),
        Dense(10, "softmax"),
    ],
}
# Keras calls np.array on tensors, whose __array__ has not yet the copy keyword of NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
Loss = Callable[[Tensor, Tensor], Tensor]
every_net = pytest.mark.parametrize("name", NETS)


def keras_net(name: str) -> keras.Sequential:
    model = keras.Sequential([keras.Input((28, 28, 1)), *NETS[name]()])
    model.compile(
        # Adam's rate of 1e-3 and epsilon of 1e-7 are Keras's own defaults.
        keras.optimizers.SGD(0.003) if name == "tanh_cnn" else keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="without_penalty")],
    )
    return model


def both(name: str) -> tuple[Classifier, keras.Sequential]:
    """Our net, under its own recipe, and Keras's with the same weights."""
    recipe = f"{name}_on_pytorch" if name in ("dense", "mlp") else name
    config = compose([f"model={name}", f"recipe={recipe}"])
    ours, model = assemble.classifier(config, assemble.network(config).double()), keras_net(name)
    vectors = [parameter for parameter in ours.net.parameters() if parameter.ndim == 1]
    for vector in [*vectors, *moving_statistics(ours.net)]:
        # Zeros and ones would hide what is done to them. Biases are made negative: where a ReLU is
        # never off, a batch norm takes the bias out again, and Adam scales up rounding errors.
        vector.data -= 0.05 + 0.1 * torch.rand_like(vector)
    in_keras = in_keras_layout(ours.net.parameters(), model)
    for variable, value in zip(model.trainable_variables, in_keras, strict=True):
        variable.assign(value.detach())
    for variable, value in zip(
        moving_statistics_of_keras(model), moving_statistics(ours.net), strict=True
    ):
        variable.assign(value)
    return ours, model


def moving_statistics(net: nn.Module) -> list[Tensor]:
    """Mean and variance of each batch norm, in their order."""
    return [value for key, value in net.named_buffers() if "moving" in key]


def moving_statistics_of_keras(model: keras.Sequential) -> list[keras.Variable]:
    return [variable for variable in model.variables if "moving" in variable.name]


def in_keras_layout(values: Iterable[Tensor], model: keras.Sequential) -> Iterator[Tensor]:
    """Turn what belongs to our parameters, in their order, into what belongs to Keras's.

    Kernels are (O, I, H, W) here and (H, W, I, O) there. Behind a convolution a dense kernel
    reads map by map here and pixel by pixel there.
    """
    (flatten,) = (layer for layer in model.layers if isinstance(layer, Flatten))
    _, height, width, maps = flatten.input.shape
    for value in values:
        if value.ndim == 4:
            yield value.permute(2, 3, 1, 0)
        elif value.ndim == 2 and value.shape[1] == maps * height * width:
            yield value.unflatten(1, (maps, height, width)).permute(2, 3, 1, 0).flatten(0, 2)
        else:
            yield value.t()


def reported(net: Network, images: Tensor) -> Tensor:
    """What the source's program reports of images: of ten sigmoids these."""
    head = net.head
    return (
        head.sigmoids(net(images)) if isinstance(head, KerasSigmoid) else net.probabilities(images)
    )


def shuffled(count: int) -> Split:
    order = torch.randperm(count)
    return Split(*(part[order] for part in digits(count)))


def for_keras(split: Split, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, 28, 28, 1) levels and (N,) digits."""
    levels = split.images.permute(0, 2, 3, 1).double()
    return (levels if name == "tanh_cnn" else levels / 255).numpy(), split.labels.numpy()


def assert_equal_in_keras(
    ours: Iterable[Tensor], theirs: Iterable[Tensor], model: keras.Sequential
) -> None:
    """Equal to 1e-9 of the greatest value of each parameter."""
    for value, expected in zip(in_keras_layout(ours, model), theirs, strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-9 * scale)


def assert_moved_alike(ours: Classifier, model: keras.Sequential) -> None:
    for moved, expected in zip(
        moving_statistics(ours.net), moving_statistics_of_keras(model), strict=True
    ):
        scale = expected.value.abs().max().item()
        torch.testing.assert_close(moved, expected.value, rtol=0, atol=1e-9 * scale)


@pytest.fixture
def same_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout, in its place and at its rate, drops the same units on both sides."""

    def drop(values: Tensor, rate: float) -> Tensor:  # (N, C) or (N, H, W, C)
        draws = torch.Generator().manual_seed(0)
        return values * (torch.rand(values.shape, generator=draws) >= rate) / (1 - rate)

    def ours(self: nn.Dropout, values: Tensor) -> Tensor:
        return drop(values.movedim(1, -1), self.p).movedim(-1, 1) if self.training else values

    def theirs(self: Dropout, inputs: Tensor, training: bool = False) -> Tensor:
        return drop(inputs, self.rate) if training else inputs

    monkeypatch.setattr(nn.Dropout, "forward", ours)
    monkeypatch.setattr(Dropout, "call", theirs)


@every_net
def test_probabilities_and_loss_are_those_of_keras(name: str) -> None:
    ours, model = both(name)
    net, split = ours.net.eval(), shuffled(32)
    levels, truth = for_keras(split, name)
    probabilities = torch.from_numpy(model.predict_on_batch(levels))
    torch.testing.assert_close(reported(net, split.images), probabilities, rtol=1e-9, atol=0)
    figures = model.test_on_batch(levels, truth, return_dict=True)
    loss = ours.loss(net(split.images), split.labels).item()
    penalty = sum(ours.l2 * p.square().sum().item() for p in net.parameters() if p.ndim > 1)
    assert loss == pytest.approx(float(figures["without_penalty"]), rel=1e-9)
    assert loss + penalty == pytest.approx(float(figures["loss"]), rel=1e-9)


@every_net
@pytest.mark.usefixtures("same_masks")
def test_probabilities_in_training_and_moving_statistics_are_those_of_keras(name: str) -> None:
    ours, model = both(name)
    split = shuffled(32)
    theirs = model(for_keras(split, name)[0], training=True)
    probabilities = reported(ours.net.train(), split.images)
    torch.testing.assert_close(probabilities, theirs, rtol=1e-9, atol=0)
    assert_moved_alike(ours, model)


def test_a_batch_norm_of_one_value_is_that_of_keras() -> None:
    value, norm, layer = torch.randn(1, 5).double(), BatchNorm(5).double(), BatchNormalization()
    theirs = layer(value[:, None, None], training=True)
    torch.testing.assert_close(norm(value[..., None, None])[..., 0, 0], theirs[:, 0, 0])
    for moved, expected in zip(norm.buffers(), layer.non_trainable_variables, strict=True):
        torch.testing.assert_close(moved, expected.value)


@every_net
@pytest.mark.usefixtures("same_masks")
def test_gradients_of_loss_and_penalty_are_those_of_keras(name: str) -> None:
    """The penalty's gradient is the weight decay that our optimiser is given."""
    ours, model = both(name)
    split = shuffled(32)
    levels, truth = for_keras(split, name)
    model.compute_loss(levels, truth, model(levels, training=True)).backward()
    ours.loss(ours(split.images), split.labels).backward()
    for group in parameter_groups(ours.net, ours.l2):
        for parameter in group["params"]:
            parameter.grad += group.get("weight_decay", 0) * parameter.detach()
    gradients = [parameter.grad for parameter in ours.net.parameters()]
    theirs = [variable.value.grad for variable in model.trainable_variables]
    assert_equal_in_keras(gradients, theirs, model)


@every_net
@pytest.mark.usefixtures("same_masks")
def test_an_epoch_of_ten_steps_is_an_epoch_of_keras_fit(name: str) -> None:
    """Optimiser, short last batch, running loss and accuracy: all as Keras's `fit` has them."""
    ours, model = both(name)
    split = shuffled(77)
    if name == "tanh_cnn":  # at full ink it multiplies a rounding error by up to ten in each step
        split = Split(split.images // 8, split.labels)
    trainer(1).fit(ours, Chunks(Batches(split, 8)))
    levels, truth = for_keras(split, name)
    seen = model.fit(levels, truth, batch_size=8, shuffle=False, verbose=0).history
    weights = [variable.value for variable in model.trainable_variables]
    assert_equal_in_keras(ours.net.parameters(), weights, model)
    assert_moved_alike(ours, model)
    assert ours.history["train/loss"] == pytest.approx(seen["without_penalty"], rel=1e-9)
    assert ours.history["train/accuracy"] == pytest.approx([100 * seen["accuracy"][0]])
    if not ours.l2:  # else Keras's loss has the penalty in it, ours never
        assert ours.history["train/loss"] == pytest.approx(seen["loss"], rel=1e-9)


def test_augmented_cnn_slows_down_as_keras_scheduler_says() -> None:
    config = compose(["model=dense", "recipe=augmented_cnn"])
    ours, split = assemble.classifier(config, assemble.network(config)), shuffled(8)
    trainer(20).fit(ours, Chunks(Batches(split, 8)))
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * 0.95**epoch)
    model = keras_net("dense")
    seen = model.fit(*for_keras(split, "dense"), epochs=20, callbacks=[schedule], verbose=0)
    assert ours.history["learning_rate"] == pytest.approx(seen.history["learning_rate"], rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "activation"),
    [(Softmax().loss, keras.activations.softmax), (keras_on_pytorch, keras.activations.sigmoid)],
    ids=["softmax", "sigmoid"],
)
def test_keras_loss_of_an_image_is_ours_cut_at_1e_7_and_16_12(
    loss: Loss, activation: Callable[[Tensor], Tensor]
) -> None:
    """Keras clips p_y / sum_j p_j to [1e-7, 1 - 1e-7]; beyond, its gradient is zero.

    Ours has no clip: there the losses differ, by less than 1e-7 below and without bound above.
    """
    truth = torch.arange(1000) % 10
    scores = 12 * torch.randn(1000, 10, dtype=torch.float64)
    scores[:500] += 40 * nn.functional.one_hot(truth[:500]) - 40
    scores.requires_grad_()
    losses = torch.stack([loss(scores[n, None], truth[n, None]) for n in range(1000)])
    least, greatest = -math.log(1 - 1e-7), -math.log(1e-7)
    assert greatest == pytest.approx(16.12, abs=0.005)
    assert losses.min() < least / 2
    assert losses.max() > 2 * greatest
    expected = losses.clamp(least, greatest)
    theirs = keras.losses.sparse_categorical_crossentropy(truth, activation(scores))
    torch.testing.assert_close(theirs, expected, rtol=1e-9, atol=1e-14)
    gradients = [torch.autograd.grad(loss.sum(), scores)[0] for loss in (theirs, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in NETS if "cnn" in name])
def test_dropout_keeps_and_scales_as_keras_dropout_does(name: str) -> None:
    """Of 100,000 units a share of 1 - rate is kept, within five sd, and divided by 1 - rate."""
    modules = [module for module in mnist_arch.build(name).modules() if type(module) is nn.Dropout]
    layers = [layer for layer in keras_net(name).layers if isinstance(layer, Dropout)]
    ones = torch.ones(100_000, 1, dtype=torch.float64)
    for module, layer in zip(modules, layers, strict=True):
        kept = 1 - layer.rate
        sd = math.sqrt(kept * layer.rate / len(ones))
        for dropped in (module.train()(ones), layer(ones, training=True)):
            assert (dropped > 0).double().mean().item() == pytest.approx(kept, abs=5 * sd)
            assert dropped.unique().tolist() == pytest.approx([0, 1 / kept])
        assert module.eval()(ones).equal(ones)
        assert layer(ones, training=False).equal(ones)


@every_net
def test_kernels_start_by_keras_law_and_all_else_at_keras_constants(name: str) -> None:
    """Up to 40,000 values of each kernel against as many from the initialiser of Keras's layer.

    Both limits hold for two samples of one law, but for a chance of 1e-8 for each kernel. Where
    the law's density at its bound b is 0.2/b or more, the tenth greatest of n values is less than
    b (1 - 200/n) with a chance of 3e-9. (Keras on torch draws a truncated value four times at the
    most, so that 4 in a million lie outside.) And by the inequality of Dvoretzky, Kiefer and
    Wolfowitz the shares of two samples below any value differ by 2e with a chance of
    4 exp(-2 n e^2).
    """

    def sample(kernels: Iterable[Tensor]) -> Tensor:
        return torch.cat([k.flatten()[:: -(-k.numel() // 2000)] for k in kernels]).double()

    nets = [mnist_arch.build(name) for _ in range(20)]
    keys = [key for key, parameter in nets[0].named_parameters() if parameter.ndim > 1]
    model = keras_net(name)
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    for key, layer in zip(keys, layers, strict=True):
        initializer = type(layer.kernel_initializer)
        ours = sample(net.get_parameter(key).detach() for net in nets)
        theirs = sample(initializer(seed=seed)(layer.kernel.shape) for seed in range(20))
        n = len(ours)
        tenth, keras_tenth = (values.abs().topk(10).values[-1].item() for values in (ours, theirs))
        assert tenth == pytest.approx(keras_tenth, rel=200 / n), key
        shares = [
            torch.searchsorted(values.sort().values, torch.cat([ours, theirs]), right=True) / n
            for values in (ours, theirs)
        ]
        farthest = (shares[0] - shares[1]).abs().max().item()
        assert farthest <= 2 * math.sqrt(math.log(4 / 1e-9) / (2 * n)), key
    state = [*nets[0].parameters(), *moving_statistics(nets[0])]
    theirs = [*model.trainable_variables, *moving_statistics_of_keras(model)]
    for value, expected in zip(state, theirs, strict=True):
        assert value.ndim > 1 or value.double().equal(expected.value)
