"""What accuracy costs, counted by hand."""

import pytest

from mnist_arch.analysis.cost import answering_flops, costs, training_flops
from mnist_arch.models import build
from tests.factories import group


@pytest.mark.parametrize(
    ("name", "answer", "training"),
    [
        # Each weight of a dense layer multiplies once forward, once for its own gradient, and once
        # for that of what is below, which the pixels do not need.
        ("dense", 7_840, 2 * 7_840),
        ("mlp", 79_400, 2 * 78_400 + 3 * 1_000),
        # C1 at 28x28 places; C3 at 10x10, as the dense convolution that it is computed by; C5 ...
        ("lenet5", 784 * 150 + 100 * 2_400 + 48_000 + 10_080 + 840, None),
    ],
)
def test_an_image_costs_two_operations_for_each_product(
    name: str, answer: int, training: int | None
) -> None:
    assert answering_flops(build(name)) == 2 * answer
    if training:
        assert training_flops(build(name)) == 2 * training


def test_a_training_costs_its_images_and_takes_as_long_as_the_measured_pace_says() -> None:
    """Five epochs of 60,000 images at 10,000 a second, and ten at 6,000."""
    own = group([241, 261], epochs=5)
    modern = group([151], recipe="modern", epochs=10)
    others = [group([1], variant={"recipe.l2": 0.1}), group([1], data="mnist_5k")]
    paces = {("mlp", "mlp"): 10_000, ("mlp", "modern"): 6_000, ("dense", "dense"): 1}
    rows = costs([own, modern, *others], paces)
    assert [row.group for row in rows] == [own, modern]
    assert rows[0].training == 5 * 60_000 * training_flops(build("mlp"))
    assert rows[1].training == 2 * rows[0].training
    assert [row.seconds for row in rows] == [30, 100]
    assert [row.seconds for row in costs([own, modern], {("mlp", "modern"): 1})] == [None, 600_000]
    assert [row.errors for row in rows] == [pytest.approx(2.51), pytest.approx(1.51)]
