"""What holds on a GPU only; the other tests train on one, too, where there is one."""

import pytest
import torch

from mnist_arch.models import build
from mnist_arch.runs.config import compose
from mnist_arch.runs.train import arithmetic

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no NVIDIA GPU here"
)


@pytest.mark.parametrize("name", ["lenet5", "dropout_cnn", "augmented_cnn"])
def test_float32_is_float32(name: str) -> None:
    """Its products are off by 2^-24 each; TF32, which has 10 bits, is off by 2^-11."""
    torch.manual_seed(0)
    net, images = build(name).eval(), torch.randint(0, 256, (64, 1, 28, 28))
    with torch.inference_mode():
        exact = net.double()(images.double())
        with arithmetic(compose([f"model={name}"])):
            scores = net.float().cuda()(images.float().cuda())
    error = (scores.double().cpu() - exact).norm() / exact.norm()
    assert error < 1e-5
