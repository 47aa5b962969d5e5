"""docs/use.md: its Python runs, block after block, as a reader types it."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

import mnist_arch
from mnist_arch.data import sources
from tests.data.test_sources import contents, write
from tests.factories import FIVE, drawn

PAGE = Path(mnist_arch.__file__).parent.parent / "docs/use.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks define, run in a folder with two pictures; a few images stand for MNIST."""
    folder, files = tmp_path_factory.mktemp("use"), contents()
    for name in ("photo.jpg", "scan.png", "postcode.png"):
        Image.fromarray(drawn(FIVE)).save(folder / name)
    for layout in ("data/MNIST/raw", "cache"):
        write(folder / layout, files)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MNIST_ARCH_DATA", "cache")
        patch.setitem(sources.PUBLISHED, "mnist", sources.Published("MNIST", "MNIST", sums))
        for number, block in enumerate(blocks):
            exec(block, names)
            names[f"block {number}"] = dict(names)
    return names


def test_a_list_of_pictures_gives_the_answers_of_each(names: dict[str, Any]) -> None:
    of_the_photo, of_the_scan = names["answers"]
    by_an_open_file = names["answer"]
    assert (of_the_photo.image == by_an_open_file.image).all()
    assert of_the_photo.digit == by_an_open_file.digit
    assert of_the_scan.image.any()


def test_what_torchvision_scaled_is_put_back(names: dict[str, Any]) -> None:
    images = names["block 2"]["images"]
    scaled = torch.stack(
        [
            transforms.Normalize((0.1307,), (0.3081,))(
                transforms.ToTensor()(image[0].numpy()[..., None])
            )
            for image in images
        ]
    )
    assert len(images) == 20
    torch.testing.assert_close(names["pixel_values"](scaled), images.float(), rtol=0, atol=1e-3)
    assert names["block 2"]["labels"].shape == (20,)


def test_the_layers_are_those_of_the_paper(names: dict[str, Any]) -> None:
    """Section II-B, fig. 2."""
    shapes = {name: tuple(values.shape[1:]) for name, values in names["maps"].items()}
    paper = {"c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5)}
    assert paper.items() <= shapes.items()
    assert (shapes["f6"], shapes["output"]) == ((84,), (10,))


def test_the_data_alone_hold_out_a_tenth(names: dict[str, Any]) -> None:
    data = names["data"]
    assert [len(split.labels) for split in (data.train, data.validation, data.test)] == [27, 3, 20]
    images, labels = next(iter(data.train_dataloader()))
    assert (images.shape, images.dtype) == ((27, 1, 28, 28), torch.uint8)
    assert labels.shape == (27,)


def test_fine_tuning_changed_the_last_layer_only(names: dict[str, Any]) -> None:
    before, after = names["trained"].net.state_dict(), names["net"].state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"output.weight", "output.bias"}
    assert names["net"](torch.zeros(2, 1, 28, 28)).shape == (2, 26)
    assert np.isfinite(names["loss"].item())
