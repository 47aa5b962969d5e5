"""The quick layout changes no number."""

import pytest
import torch
from torch import Tensor

import mnist_arch
from mnist_arch.training.layout import channels_last

IMAGES = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["dropout_cnn", "regularized_cnn", "augmented_cnn", "tanh_cnn"])
def test_gradients_stay_in_the_layout_and_are_the_same(name: str) -> None:
    plain, quick = (mnist_arch.build(name).double().train() for _ in range(2))
    quick.load_state_dict(plain.state_dict())
    seen: list[Tensor] = []

    def watch(pooled: Tensor) -> None:
        pooled.register_hook(seen.append)

    for module in channels_last(quick).modules():
        if isinstance(module, torch.nn.MaxPool2d):
            module.register_forward_hook(lambda _, __, pooled: watch(pooled))
    for net in (plain, quick):
        torch.manual_seed(0)
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0  # its masks are drawn in the order of the memory
        net.head.loss(net(IMAGES), torch.arange(4)).backward()
    assert seen
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in seen)
    for (key, expected), value in zip(plain.named_parameters(), quick.parameters(), strict=True):
        assert expected.grad is not None
        scale = expected.grad.abs().max().item()
        torch.testing.assert_close(
            value.grad, expected.grad, rtol=0, atol=1e-9 * scale, check_stride=False, msg=key
        )
