"""What TensorBoard is given, read back from its files, and the figures behind it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mnist_arch
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.reports import results, tensorboard
from mnist_arch.reports.figures import network
from tests.runs.test_records import record

FIGURES = ("errors_by_epoch", "confusion", "misread", "filters", "feature_maps")
HISTORY = {"train/accuracy": [90.0, 95.0], "train/loss": [1.0, 0.5]}


def digits_of(count: int) -> Split:
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    return Split(images, torch.arange(count) % 10)


@pytest.mark.parametrize("name", ["dense", "lenet5"])
def test_a_run_gets_every_figure_as_png_and_in_tensorboard(tmp_path: Path, name: str) -> None:
    net, test = mnist_arch.build(name), digits_of(30)
    confusion = torch.ones(10, 10).tolist()
    made = record(architecture=name, history=HISTORY, test_confusion=confusion, epochs=2)
    tensorboard.show(tmp_path, net, made, test, torch.full((30, 10), 0.1))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["images"]) == set(FIGURES)
    for figure in FIGURES:
        picture = imread(tmp_path / "figures" / f"{figure}.png")
        assert picture.std() > 0.05  # not blank
        (shown,) = events.Images(figure)
        assert (shown.step, shown.height, shown.width) == (2, *picture.shape[:2])
    embedded = list(tmp_path.glob("*/features/metadata.tsv"))
    if name == "dense":  # its output layer reads the pixels: nothing of its own to show
        assert not embedded
    else:
        assert embedded[0].read_text().split() == [str(digit) for digit in test.labels.tolist()]
        rows = embedded[0].with_name("tensors.tsv").read_text().splitlines()
        found = [[float(value) for value in row.split("\t")] for row in rows]
        assert torch.allclose(torch.tensor(found), tensorboard.last_features(net, test.images))
        assert "features" in (tmp_path / "projector_config.pbtxt").read_text()


def test_what_the_output_layer_reads_makes_the_scores() -> None:
    for name in mnist_arch.architectures():
        net, images = mnist_arch.build(name).eval(), digits_of(2).images
        with torch.inference_mode():
            made = net.get_submodule("output")(tensorboard.last_features(net, images))
            scores = -made if name == "lenet5_1998" else made  # penalties
            assert torch.allclose(scores, net(images), rtol=1e-4, atol=1e-4)


def test_every_layer_is_shown_as_the_next_reads_it_and_the_network_left_as_it_was() -> None:
    shapes = {
        "pixels": (1, 32, 32),
        "c1": (6, 28, 28),
        "s2": (6, 14, 14),
        "c3": (16, 10, 10),
        "s4": (16, 5, 5),
        "c5": (120, 1, 1),
        "f6": (84,),
        "output": (10,),
    }
    image = digits_of(1).images
    for name in ("lenet5", "lenet5_1998"):
        net = mnist_arch.build(name).train()
        shown = network.layers(net, image)
        assert {layer: tuple(made.shape) for layer, made in shown.items()} == shapes
        assert shown["f6"].equal(tensorboard.last_features(net, image)[0])
        assert not any(module._forward_hooks for module in net.modules())
    net = mnist_arch.build("lenet5")
    assert net.training
    network.layers(net, image)
    assert net.training
    maps = net.s2(net.c1(net.pixels(image)).tanh())  # by hand
    assert torch.allclose(network.layers(net, image)["s2"], maps[0], atol=1e-6)


def test_dropout_is_no_layer_and_lets_everything_through() -> None:
    net, image = mnist_arch.build("dropout_cnn").train(), digits_of(1).images
    shown = network.layers(net, image)
    assert not [name for name in shown if "dropout" in name]
    assert shown["output"].equal(net.eval()(image)[0])


def test_misread_digits_stand_by_confidence_with_truth_and_reading() -> None:
    test = Split(digits_of(4).images, torch.tensor([3, 1, 7, 9]))
    probabilities = torch.zeros(4, 10)
    for image, (read, confidence) in enumerate(((5, 0.5), (1, 0.99), (2, 0.9), (4, 0.7))):
        probabilities[image, read] = confidence
    figure = network.misread(test.images, test.labels, probabilities, "some")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["7 as 2\n90 %", "9 as 4\n70 %", "3 as 5\n50 %"]
    shown = torch.from_numpy(figure.axes[0].images[0].get_array().data)
    assert shown.equal(test.images[2, 0])
    assert figure.get_suptitle() == "some: all of 3 misread"


def test_the_confusion_matrix_has_its_counts_and_colours_errors_only() -> None:
    counts = [[100 if truth == read else 0 for read in range(10)] for truth in range(10)]
    counts[4][9] = 7
    axes = network.confusion(counts, "some").axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[9, 4] == "7"  # across read, down truth
    assert texts[4, 9] == ""
    assert texts[3, 3] == "100"
    coloured = axes.images[0].get_array()
    assert coloured[4, 9] == 7
    assert coloured.count() == 1


def test_first_layers_are_shown_as_they_look_at_an_image() -> None:
    net = mnist_arch.build("lenet5")
    figure = network.filters(net, "some")
    shown = [axes.images[0].get_array() for axes in figure.axes[:6]]
    assert all(
        (net.c1.weight[place, 0].numpy(force=True) == of).all() for place, of in enumerate(shown)
    )
    assert figure.axes[0].images[0].get_clim() == pytest.approx(
        (-(most := net.c1.weight.abs().max().item()), most)
    )
    net = mnist_arch.build("mlp")
    figure = network.filters(net, "some")
    assert (
        figure.get_suptitle()
        == f"some: weights of hidden, the first 40 of {net.hidden.out_features} units"
    )
    wanted = net.hidden.weight[39].view(28, 28).numpy(force=True)
    assert (figure.axes[39].images[0].get_array() == wanted).all()


def groups_of(**changes: Any) -> list[results.Group]:
    runs = [
        {"train/accuracy": [90.0, 95.0], "train/loss": [1.0, 0.5]},
        {"train/accuracy": [92.0, 97.0], "train/loss": [2.0, 0.7]},
    ]
    return results.groups(
        record(seed=seed, history=history, test_errors=100 * (seed + 1), epochs=2, **changes)
        for seed, history in enumerate(runs)
    )


def test_the_mean_of_runs_has_their_tags_and_its_spread(tmp_path: Path) -> None:
    alone = results.groups([record(seed=3, recipe="modern", history=HISTORY)])
    (folder,) = tensorboard.write_means([*groups_of(), *alone], tmp_path)
    assert folder == tmp_path / "mlp-own-mean"
    tensorboard.write_means(groups_of(), tmp_path)  # again: replaces itself
    events = EventAccumulator(str(folder)).Reload()

    def values(tag: str) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in events.Scalars(tag)]

    assert values("train/accuracy") == [(1, 91), (2, 96)]
    low, high = (values(f"train/accuracy/mean{sign}sd") for sign in "-+")
    # Two values two apart: sd is the square root of two.
    assert [value for _, value in low] == pytest.approx([91 - 2**0.5, 96 - 2**0.5])
    assert [value for _, value in high] == pytest.approx([91 + 2**0.5, 96 + 2**0.5])
    assert values("test/errors") == [(2, 150)]
    assert values("test/accuracy") == [(2, 98.5)]
    assert (folder / tensorboard.MARK).read_text() == "mlp, own: the mean of seeds 0, 1\n"


def test_the_mean_of_runs_that_were_not_tested_has_a_folder_of_its_own(tmp_path: Path) -> None:
    unread = {"test_images": None, "validation_images": 6_000, "validation_errors": 60}
    names = [
        path.name
        for path in tensorboard.write_means([*groups_of(), *groups_of(**unread)], tmp_path)
    ]
    assert names == ["mlp-own-mean", "mlp-own-test=false-mean"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlp-own-mean").mkdir()
    (tmp_path / "mlp-own-mean/events.out.tfevents.mine").touch()
    with pytest.raises(UserError, match="mlp-own-mean: in the way of the mean of mlp, own"):
        tensorboard.write_means(groups_of(), tmp_path)
    assert (tmp_path / "mlp-own-mean/events.out.tfevents.mine").exists()
