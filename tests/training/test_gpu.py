"""What holds on a GPU only; the other tests train on one, too, where there is one."""

import pytest
import torch

from mnist_arch.data.batches import Step
from mnist_arch.models import ARCHITECTURES, build
from mnist_arch.runs.arithmetic import arithmetic
from mnist_arch.runs.config import compose
from mnist_arch.training.update import GraphedUpdate, PlainUpdate

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


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_graph_takes_the_steps_that_its_kernels_take_one_by_one(name: str) -> None:
    """Dropout draws the same, moving averages end the same, and a short batch does no harm."""
    sizes, ended = (32, 32, 32, 7, 32), []
    ink = 8 if name == "tanh_cnn" else 255  # it takes raw pixel values, and is chaotic at 255
    for kind in (PlainUpdate, GraphedUpdate):
        torch.manual_seed(0)
        net = build(name).cuda().train()
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
        update = kind(net, net.head.loss, optimizer)
        with arithmetic(compose([f"model={name}"])):
            for size in sizes:
                images = torch.randint(0, ink + 1, (size, 1, 28, 28), dtype=torch.uint8).cuda()
                scores, loss = update(Step(images, torch.randint(0, 10, (size,)).cuda()))
        ended.append([scores, loss, *net.state_dict().values()])
    for plain, graphed in zip(*ended, strict=True):
        torch.testing.assert_close(graphed, plain, rtol=1e-4, atol=5e-5)  # sums in another order
