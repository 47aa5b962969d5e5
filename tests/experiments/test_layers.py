"""`python -m experiments.layers`: a digit's way through a network as a picture."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mnist_arch
from mnist_arch.models import ARCHITECTURES
from mnist_arch.reports.figures.network import journey
from tests.factories import finished_run


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_layer_of_every_network_has_a_column_and_the_bars_are_its_probabilities(
    name: str,
) -> None:
    net = mnist_arch.build(name).eval()
    image = torch.randint(0, 256, (1, 1, 28, 28), dtype=torch.uint8)
    *columns, bars = journey(net, image).axes
    assert [axes.get_title() for axes in (*columns, bars)] == [
        layer.upper() for layer in net.activations(image)
    ]
    probabilities = net.probabilities(image)[0].numpy(force=True)
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(widths, probabilities, rtol=1e-6)
    (winner,) = {bar.get_y() for bar in bars.patches} - {
        bar.get_y() for bar in bars.patches if bar.get_facecolor()[0] == bar.get_facecolor()[1]
    }
    assert round(winner + 0.4) == probabilities.argmax()


def test_it_draws_the_image_that_is_asked_for(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    finished_run(tmp_path / "run", "lenet5", data="mnist_5k")
    done = command("experiments.layers", "run", "--image", "3", "--out", "some.png")
    assert (done.returncode, done.stdout) == (0, "some.png\n"), done.stderr
    with Image.open(tmp_path / "some.png") as picture:
        assert picture.size == (1200, 250)
    done = command("experiments.layers", "run", "--image", "500")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: --image 500: there are 500 test images")
