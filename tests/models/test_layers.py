"""The layers that PyTorch lacks, each against a second way of reckoning it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_arch.models import LeNet5, LeNet51998
from mnist_arch.models.layers import EuclideanRBF, PartialConv2d, Pixels, ScaledTanh, Subsample
from mnist_arch.models.lenet5 import TABLE_I
from mnist_arch.models.lenet5_1998 import digit_codes

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


@pytest.mark.parametrize("net", [LeNet5, LeNet51998])
def test_c3_has_no_weight_outside_the_table(net: type[LeNet5 | LeNet51998]) -> None:
    assert sum(p.numel() for p in net().c3.parameters()) == 1_516


@pytest.mark.parametrize("o", range(16))
def test_c3_map_never_reads_the_other_maps(o: int) -> None:
    """Were a weight there, even one of zero, NaN would come through."""
    c3, maps = LeNet5().c3, torch.rand(2, 6, 14, 14)
    spoilt = maps.clone()
    spoilt[:, [i for i in range(6) if i not in TABLE_I[o]]] = torch.nan
    torch.testing.assert_close(c3(spoilt)[:, o], c3(maps)[:, o], rtol=0, atol=0)


@pytest.mark.parametrize("o", range(16))
def test_c3_map_is_the_convolution_of_its_row(o: int) -> None:
    c3, maps = LeNet5().c3.double(), torch.rand(2, 6, 14, 14, dtype=torch.float64)
    torch.nn.init.normal_(c3.bias)
    kernels = c3.weight.split([len(row) for row in TABLE_I])[o]
    alone = torch.nn.functional.conv2d(
        maps[:, list(TABLE_I[o])], kernels[None], c3.bias[o : o + 1]
    )
    torch.testing.assert_close(c3(maps)[:, o], alone[:, 0], rtol=1e-12, atol=1e-12)


@given(st.sets(st.integers(0, 5), min_size=1), st.sampled_from([math.nan, math.inf]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_is_not_finite_shows_in_the_maps_that_read_it(row: set[int], bad: float) -> None:
    conv = PartialConv2d([sorted(row), [0]], in_maps=6, kernel=3)
    maps = torch.rand(1, 6, 8, 8)
    maps[0, min(row), 4, 4] = bad
    assert not conv(maps)[0, 0].isfinite().any()
    assert conv(maps)[0, 1].isfinite().all() == (min(row) != 0)


def test_optimiser_state_and_weight_decay_touch_the_1516_only() -> None:
    c3 = LeNet5().c3
    optimizer = torch.optim.AdamW(c3.parameters(), weight_decay=0.5)
    c3(torch.rand(1, 6, 14, 14)).sum().backward()
    optimizer.step()
    sizes = [state["exp_avg"].numel() for state in optimizer.state.values()]
    assert sum(sizes) == 1_516
    assert all(p.grad is not None and p.grad.numel() == p.numel() for p in c3.parameters())


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


def test_keras_levels_are_exactly_pixel_over_255() -> None:
    images = torch.arange(784, dtype=torch.int64).remainder(256).to(torch.uint8).view(1, 1, 28, 28)
    torch.testing.assert_close(
        Pixels(background=0, ink=1)(images), images.float() / 255, rtol=0, atol=0
    )
