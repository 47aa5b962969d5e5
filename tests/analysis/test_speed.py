"""What a benchmark reckons, by hand; the times themselves are nobody's to test."""

from typing import Any

import pytest
import torch

from mnist_arch.analysis import speed
from mnist_arch.models import build
from mnist_arch.models.layers import PartialConv2d
from mnist_arch.runs.config import Config, compose


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


def test_what_is_timed_is_an_epoch_by_the_recipe_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []

    def train(config: Config, callbacks: list[Any]) -> None:
        trained.append(config)
        (clock,) = callbacks
        clock.started, clock.ended = 0.0, 4.0

    monkeypatch.setattr(speed, "train", train)
    assert speed.ours(compose(["model=mlp", "recipe=modern"]), 10, threads=1) == 10 * 128 / 4
    (config,) = trained
    assert (config.recipe.name, config.recipe.batch_size) == ("modern", 128)
    assert (config.recipe.max_epochs, config.trainer["threads"]) == (1, 1)


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    """A machine that is twice as slow in one round changes both sides of it."""
    assert speed.ratio([10, 5, 10], [20, 10, 5]) == 0.5


def test_the_processor_is_named() -> None:
    facts = speed.processor()
    assert facts["model"]
    assert facts["threads"] == torch.get_num_threads()
