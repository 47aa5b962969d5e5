"""What a benchmark reckons, by hand; the times themselves are nobody's to test."""

import torch

from mnist_arch.analysis import speed
from mnist_arch.models import build
from mnist_arch.models.layers import PartialConv2d


def test_the_bare_loops_c3_is_ours() -> None:
    """One dense convolution under a mask: the same maps, and gradients where there are kernels."""
    partial = build("lenet5").c3
    assert isinstance(partial, PartialConv2d)
    masked = speed.Masked(partial)
    maps = torch.rand(2, 6, 14, 14)
    torch.testing.assert_close(masked(maps), partial(maps))
    masked(maps).sum().backward()
    assert masked.weight.grad is not None
    assert not masked.weight.grad[~partial.connected].any()
    assert masked.weight.numel() == 2_400


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    """A machine that is twice as slow in one round changes both sides of it."""
    assert speed.ratio([10, 5, 10], [20, 10, 5]) == 0.5


def test_the_processor_is_named() -> None:
    facts = speed.processor()
    assert facts["model"]
    assert facts["threads"] == torch.get_num_threads()
