"""The layers that PyTorch lacks, each against a second way of reckoning it."""

import copy
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx

import mnist_arch
from mnist_arch.models.layers import (
    BatchNorm,
    EuclideanRBF,
    PartialConv2d,
    Pixels,
    SameConv2d,
    ScaledTanh,
    Subsample,
)
from mnist_arch.models.lenet5 import TABLE_I, LeNet5
from mnist_arch.models.lenet5_1998 import LeNet5Original, digit_codes

# Written out from the paper's Table I: a column for each C3 map, a row for each S2 map.
PRINTED_TABLE_I = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


def test_table_i_is_the_printed_one() -> None:
    for o, row in enumerate(TABLE_I):
        assert row == tuple(i for i in range(6) if PRINTED_TABLE_I[i][o] == "X")


def test_every_s2_map_feeds_ten_c3_maps() -> None:
    assert [sum(i in row for row in TABLE_I) for i in range(6)] == [10] * 6
    assert sum(map(len, TABLE_I)) == 60


@pytest.mark.parametrize("net", [LeNet5, LeNet5Original])
def test_c3_has_no_weight_outside_the_table(net: type[LeNet5 | LeNet5Original]) -> None:
    assert sum(p.numel() for p in net().c3.parameters()) == 1_516


@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_map_depends_on_the_maps_of_its_row_and_on_no_others(rows: list[set[int]]) -> None:
    conv = PartialConv2d([sorted(row) for row in rows], in_maps=6, kernel=3)
    torch.nn.init.uniform_(conv.weight, 0.5, 1)
    jacobian = torch.autograd.functional.jacobian(
        lambda maps: conv(maps).sum((0, 2, 3)), torch.rand(1, 6, 5, 5)
    )
    depends = jacobian.ne(0).any(-1).any(-1).any(1)  # (outputs, inputs)
    assert [set(row.nonzero().flatten().tolist()) for row in depends] == rows


@pytest.mark.parametrize("o", range(16))
def test_c3_map_is_the_convolution_of_its_row(o: int) -> None:
    c3, maps = LeNet5().c3.double(), torch.rand(2, 6, 14, 14, dtype=torch.float64)
    torch.nn.init.normal_(c3.bias)
    kernels = c3.weight.split([len(row) for row in TABLE_I])[o]
    alone = torch.nn.functional.conv2d(
        maps[:, list(TABLE_I[o])], kernels[None], c3.bias[o : o + 1]
    )
    torch.testing.assert_close(c3(maps)[:, o], alone[:, 0], rtol=1e-12, atol=1e-12)


def test_optimiser_state_and_weight_decay_touch_the_1516_only() -> None:
    c3 = LeNet5().c3
    optimizer = torch.optim.AdamW(c3.parameters(), weight_decay=0.5)
    c3(torch.rand(1, 6, 14, 14)).sum().backward()
    optimizer.step()
    sizes = [state["exp_avg"].numel() for state in optimizer.state.values()]
    assert sum(sizes) == 1_516
    assert all(p.grad is not None and p.grad.numel() == p.numel() for p in c3.parameters())


@pytest.mark.parametrize(("kernel", "stride", "size"), [(5, 2, 24), (4, 2, 6), (3, 3, 9)])
def test_same_convolution_pads_as_tensorflow_documents(
    kernel: int, stride: int, size: int
) -> None:
    """tf.nn.convolution, "SAME": ceil(size / stride) outputs; of the padding needed in all, the
    smaller half stands before."""
    outputs = math.ceil(size / stride)
    padding = max((outputs - 1) * stride + kernel - size, 0)
    conv = SameConv2d(1, 1, kernel, stride=stride).double()
    image, column = torch.zeros(1, 1, size, size).double(), torch.rand(size).double()
    weights = torch.rand(kernel).double()
    image[..., 0], conv.bias.data[0] = column, 0.5  # one column seen by one column of weights
    conv.weight.data.zero_()
    conv.weight.data[0, 0, :, padding // 2] = weights
    for out in range(outputs):
        seen = [(out * stride + k - padding // 2, k) for k in range(kernel)]
        expected = 0.5 + sum(column[i] * weights[k] for i, k in seen if 0 <= i < size)
        assert conv(image)[0, 0, out, 0].item() == pytest.approx(float(expected))
    assert conv(image).shape == (1, 1, outputs, outputs)


def batch_norm() -> tuple[BatchNorm, torch.Tensor]:
    norm = BatchNorm(3).double()
    for value in norm.state_dict().values():
        value.uniform_(0.5, 2)
    return norm, torch.randn(4, 3, 2, 5, dtype=torch.float64) * 3 + 1


def test_batch_norm_trains_on_the_batch_and_averages_its_mean_and_variance() -> None:
    """Keras: moving = moving * 0.99 + batch * 0.01, the variance over n and not over n - 1."""
    norm, x = batch_norm()
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    y = norm(x)
    for c in range(3):
        values = x[:, c].flatten().tolist()
        mean = math.fsum(values) / 40
        variance = math.fsum((value - mean) ** 2 for value in values) / 40
        expected = (x[:, c] - mean) / math.sqrt(variance + 1e-3) * norm.weight[c] + norm.bias[c]
        torch.testing.assert_close(y[:, c], expected, rtol=1e-9, atol=1e-12)
        moved = before["moving_mean"][c] * 0.99 + mean * 0.01
        assert norm.moving_mean[c].item() == pytest.approx(moved.item())
        moved = before["moving_variance"][c] * 0.99 + variance * 0.01
        assert norm.moving_variance[c].item() == pytest.approx(moved.item())


def test_batch_norm_evaluates_by_the_moving_statistics() -> None:
    norm, x = batch_norm()
    y = norm.eval()(x)
    for c in range(3):
        deviation = torch.sqrt(norm.moving_variance[c] + 1e-3)
        expected = (x[:, c] - norm.moving_mean[c]) / deviation * norm.weight[c] + norm.bias[c]
        torch.testing.assert_close(y[:, c], expected, rtol=1e-12, atol=1e-12)


def test_batch_norm_of_a_single_value_has_no_variance_and_leaves_the_bias() -> None:
    norm, x = batch_norm()
    one, variance = x[:1, :, :1, :1].requires_grad_(), norm.moving_variance.clone()
    mean = norm.moving_mean * 0.99 + one.detach().flatten() * 0.01
    y = norm(one)
    assert y.flatten().equal(norm.bias)
    torch.testing.assert_close(norm.moving_mean, mean)
    torch.testing.assert_close(norm.moving_variance, 0.99 * variance)
    y.sum().backward()
    assert one.grad is not None
    assert not one.grad.any()


def test_stacked_batch_norms_train_each_by_its_own_statistics() -> None:
    norms = [batch_norm()[0] for _ in range(3)]
    parameters, buffers = stack_module_state(norms)  # type: ignore[arg-type]
    x = torch.randn(3, 4, 3, 2, 5, dtype=torch.float64)

    def train(
        parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], x: torch.Tensor
    ) -> torch.Tensor:
        return functional_call(norms[0], (parameters, buffers), (x,))

    together = vmap(train)(parameters, buffers, x)
    for n, norm in enumerate(norms):
        torch.testing.assert_close(together[n], norm(x[n]))
        for key, value in buffers.items():
            torch.testing.assert_close(value[n], norm.get_buffer(key))


def test_subsample_adds_four_scales_and_shifts() -> None:
    layer = Subsample(3).double()
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    y = layer(x)
    assert y.shape == (2, 3, 3, 4)
    for n, c, h, w in [(0, 0, 0, 0), (1, 2, 2, 3), (0, 1, 1, 2)]:
        four = x[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].sum()
        torch.testing.assert_close(y[n, c, h, w], layer.weight[c] * four + layer.bias[c])


def test_squashing_keeps_plus_and_minus_one() -> None:
    """Appendix A: f(1) = 1 and f(-1) = -1, within what 1.7159 allows; saturation at 1.7159."""
    ones = torch.tensor([1.0, -1.0, 100.0], dtype=torch.float64)
    expected = torch.tensor([1.0, -1.0, 1.7159], dtype=torch.float64)
    torch.testing.assert_close(ScaledTanh()(ones), expected, rtol=0, atol=3e-5)


def test_rbf_is_the_squared_distance_to_the_code() -> None:
    codes = digit_codes().double()
    x = torch.randn(5, 84, dtype=torch.float64)
    expected = torch.cdist(x, codes) ** 2
    torch.testing.assert_close(EuclideanRBF(codes)(x), expected)
    torch.testing.assert_close(EuclideanRBF(codes)(codes).diagonal(), torch.zeros(10).double())


def test_codes_are_ten_different_bitmaps_of_7_by_12() -> None:
    codes = digit_codes()
    assert codes.shape == (10, 7 * 12)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    assert len({tuple(code.tolist()) for code in codes}) == 10
    bitmaps = codes.view(10, 12, 7) > 0
    assert bitmaps[7, 0].all()  # the bar of 7
    assert bitmaps[[0, 8]].equal(bitmaps[[0, 8]].flip(2))  # 0 and 8 are their own mirror images
    assert bitmaps[8, 5].sum() < bitmaps[8, 1].sum()  # the waist of 8


@pytest.mark.parametrize(
    ("background", "ink", "padding"), [(0, 1, 0), (0, 255, 0), (-0.1, 1.175, 2)]
)
def test_pixels_are_scaled_and_padded(background: float, ink: float, padding: int) -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(4)[:784].view(1, 1, 28, 28)
    levels = Pixels(background=background, ink=ink, padding=padding).double()(images)
    assert levels.shape == (1, 1, 28 + 2 * padding, 28 + 2 * padding)
    middle = levels[..., padding : 28 + padding, padding : 28 + padding]
    expected = background + images.double() * (ink - background) / 255
    torch.testing.assert_close(middle, expected, rtol=1e-6, atol=1e-7)
    outside = levels.sum() - middle.sum()
    assert outside.item() == pytest.approx(background * (levels.numel() - 784))


def test_keras_inputs_are_exactly_pixel_over_255() -> None:
    images = torch.arange(784, dtype=torch.int64).remainder(256).to(torch.uint8).view(1, 1, 28, 28)
    torch.testing.assert_close(
        Pixels(background=0, ink=1)(images), images.float() / 255, rtol=0, atol=0
    )


def warned(net: nn.Module, images: Tensor) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net(images)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("name", ["mlp", "lenet5", "lenet5_1998"])
@pytest.mark.parametrize("training", [False, True])
def test_a_batch_scaled_to_1_is_warned_of_once(name: str, training: bool) -> None:
    net = mnist_arch.build(name).train(training)
    shares = torch.rand(3, 1, 28, 28, dtype=torch.float16)
    assert warned(net, torch.zeros(3, 1, 28, 28)) == []  # blank is blank in every unit
    assert warned(net, (shares > 0.5).to(torch.uint8)) == []
    assert warned(net, torch.zeros(0, 1, 28, 28)) == []
    (told,) = warned(net, shares)
    assert "images * 255" in told
    assert warned(net, shares) == []


def test_in_use_every_batch_is_looked_at_and_in_training_the_first_alone() -> None:
    shares = torch.rand(3, 1, 28, 28)
    used, trained = mnist_arch.build("mlp").eval(), mnist_arch.build("mlp")
    for net in (used, trained):
        assert warned(net, shares * 255) == []
    assert warned(used, shares) != []
    assert warned(trained, shares) == []


def test_an_error_of_the_warning_is_one_each_time() -> None:
    net = mnist_arch.build("mlp").eval()
    images = torch.rand(3, 1, 28, 28)
    for _ in range(2):  # here every warning is an error
        with pytest.raises(UserWarning, match="never exceed 1"):
            net(images)


@pytest.mark.parametrize("training", [False, True])
def test_no_trace_of_a_network_looks_at_values(training: bool) -> None:
    """vmap, export and make_fx see no branch on data: warnings, too, are errors here."""
    net, images = mnist_arch.build("mlp").train(training), torch.rand(3, 1, 28, 28)
    expected = copy.deepcopy(net)(images * 255)
    each = torch.func.vmap(lambda image: net(image[None])[0])(images)
    torch.testing.assert_close(255 * each, expected, atol=1e-3, rtol=1e-3)
    program = torch.export.export(net, (images,))
    traced = make_fx(net)(images)
    for graph in (program.graph, traced.graph):
        graph.eliminate_dead_code()
        names = {str(node.target) for node in graph.nodes}
        assert not [name for name in names if "amax" in name or "scalar" in name]
    torch.testing.assert_close(program.module()(images * 255), expected)
    meta = mnist_arch.build("mlp").to("meta")
    assert meta(torch.rand(3, 1, 28, 28, device="meta")).shape == (3, 10)
