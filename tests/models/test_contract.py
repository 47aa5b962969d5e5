"""What holds for every architecture."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

import mnist_arch
from mnist_arch.data import sources
from mnist_arch.models.layers import BatchNorm

NAMES = mnist_arch.architectures()
pytestmark = pytest.mark.parametrize("name", NAMES)


def some_images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)


def test_a_gradient_reaches_every_parameter(name: str) -> None:
    net = mnist_arch.build(name)
    net.head.loss(net(some_images(16)), torch.arange(16) % 10).backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name


def test_a_last_batch_of_one_image_can_be_trained_on(name: str) -> None:
    net = mnist_arch.build(name).train()
    net.head.loss(net(some_images(1)), torch.tensor([3])).backward()
    for key, value in net.state_dict().items():
        assert value.isfinite().all(), key
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


def test_a_batch_is_its_images_one_by_one(name: str) -> None:
    net, images = mnist_arch.build(name).double().eval(), some_images(5)
    alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(net(images), alone, rtol=1e-10, atol=1e-10)


def test_bytes_and_floats_of_the_same_pixels_score_the_same(name: str) -> None:
    net, images = mnist_arch.build(name).eval(), some_images(3)
    torch.testing.assert_close(net(images), net(images.float()), rtol=0, atol=0)


@pytest.mark.parametrize(
    "shape", [(28, 28), (1, 28, 28), (2, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32)]
)
def test_a_wrong_shape_is_named(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected images of shape \(N, 1, 28, 28\), got"):
        mnist_arch.build(name)(torch.zeros(shape))


def test_a_wrong_dtype_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=r"as uint8 or float, got torch\.int64"):
        mnist_arch.build(name)(torch.zeros(1, 1, 28, 28, dtype=torch.int64))


def test_eight_images_can_be_memorised(name: str) -> None:
    split = sources.load("mnist_5k", Path("unused")).test
    net, images, digits = mnist_arch.build(name).eval(), split.images[::63], split.labels[::63]
    assert len(digits.unique()) == 8
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4)
    for _ in range(300):
        optimizer.zero_grad()
        net.head.loss(net(images), digits).backward()
        optimizer.step()
        if net(images).argmax(1).equal(digits):
            return
    pytest.fail(f"{name} reads {net(images).argmax(1).tolist()} after 300 steps")


def changed_by_forward(net: nn.Module) -> set[str]:
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net(some_images(2))
    return {key for key, value in net.state_dict().items() if not value.equal(before[key])}


def test_evaluating_changes_no_state(name: str) -> None:
    assert not changed_by_forward(mnist_arch.build(name).eval())


def test_training_changes_the_moving_statistics_of_batch_norm_and_no_other_state(
    name: str,
) -> None:
    net = mnist_arch.build(name).train()
    norms = [path for path, module in net.named_modules() if isinstance(module, BatchNorm)]
    moving = {f"{path}.moving_{what}" for path in norms for what in ("mean", "variance")}
    assert changed_by_forward(net) == moving


def test_it_is_named_and_summed_up_in_a_line(name: str) -> None:
    net = mnist_arch.build(name)
    others = [mnist_arch.build(other) for other in NAMES if other != name]
    assert net.title not in [other.title for other in others]
    assert 10 < len(net.summary()) < 80
    assert "\n" not in net.summary()


def test_its_last_layer_is_called_output_and_makes_the_scores(name: str) -> None:
    net, outputs = mnist_arch.build(name).eval(), []
    net.get_submodule("output").register_forward_hook(lambda *seen: outputs.append(seen[-1]))
    scores = net(some_images(3))
    assert outputs[0].abs().equal(scores.abs())  # penalties are scores with the other sign


def test_networks_can_be_stacked_and_vmapped(name: str) -> None:
    nets = [mnist_arch.build(name).double().eval() for _ in range(3)]
    images = some_images(2)
    parameters, buffers = stack_module_state(nets)  # type: ignore[arg-type]

    def scores(
        parameters: dict[str, nn.Parameter], buffers: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        return functional_call(nets[0], (parameters, buffers), (images,))

    together = vmap(scores)(parameters, buffers)
    for net, stacked in zip(nets, together, strict=True):
        torch.testing.assert_close(stacked, net(images), rtol=1e-9, atol=1e-9)


# torch.export itself still uses what a later Python or torch will take away.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_network_can_be_exported_with_a_free_batch_size(name: str) -> None:
    net, images = mnist_arch.build(name).eval(), some_images(3)
    free = ({0: torch.export.Dim("batch", min=1, max=4096)},)
    program = torch.export.export(net, (images,), dynamic_shapes=free)
    seven = some_images(7)
    torch.testing.assert_close(program.module()(seven), net(seven))


def test_the_same_random_state_builds_the_same_network(name: str) -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(7)
        nets.append(mnist_arch.build(name).state_dict())
    assert all(value.equal(nets[1][key]) for key, value in nets[0].items())
