"""What TensorBoard is given, read back from its files, and the figures behind it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

import mnist_arch
from mnist_arch.analysis.groups import Group
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.reports import tensorboard
from mnist_arch.reports.figures import network
from mnist_arch.runs import predictions
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import Record
from mnist_arch.runs.scoring import score
from mnist_arch.runs.train import Run
from tests.factories import finished_run, group, record, untested

FIGURES = ("errors_by_epoch", "confusion", "misclassified", "filters", "feature_maps")
HISTORY = {"train/accuracy": [90.0, 95.0], "train/loss": [1.0, 0.5]}


def digits_of(count: int) -> Split:
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    return Split(images, torch.arange(count) % 10)


def finished(folder: Path, name: str, test: Split) -> Run:
    """A run whose weights are as they are drawn, tested on some digits."""
    finished_run(folder, name)
    scored = score(mnist_arch.load(folder).net, test)
    predictions.write(folder, scored)
    errors = [sum(row) - row[label] for label, row in enumerate(scored.confusion)]
    changes = {"architecture": name, "confusion": scored.confusion, "config": {"data.root": None}}
    return Run(folder, record(errors, len(test.labels), history=HISTORY, epochs=2, **changes))


@pytest.mark.parametrize("name", ["dense", "lenet5"])
def test_a_run_gets_every_figure_as_png_and_in_tensorboard(tmp_path: Path, name: str) -> None:
    test = digits_of(30)
    trained = finished(tmp_path, name, test)
    for _ in range(2):  # again: replaces itself
        tensorboard.show(trained, test)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["images"]) == {f"figures/{figure}" for figure in FIGURES}
    for figure in FIGURES:
        picture = imread(tmp_path / "figures" / f"{figure}.png")
        assert picture.std() > 0.05  # not blank
        (image,) = events.Images(f"figures/{figure}")
        assert (image.step, image.height, image.width) == (2, *picture.shape[:2])
    embedding = list(tmp_path.glob("*/features/metadata.tsv"))
    if name == "dense":  # its output layer sees the pixels: it has no features of its own
        assert not embedding
    else:
        assert embedding[0].read_text().split() == [str(label) for label in test.labels.tolist()]
        rows = embedding[0].with_name("tensors.tsv").read_text().splitlines()
        features = torch.tensor([[float(value) for value in row.split("\t")] for row in rows])
        assert torch.allclose(features, trained.network().activations(test.images)["f6"])
        assert "features" in (tmp_path / "projector_config.pbtxt").read_text()


def test_what_the_last_layer_but_one_passes_on_makes_the_scores() -> None:
    for name in mnist_arch.architectures():
        net, images = mnist_arch.build(name).eval(), digits_of(2).images
        *_, features, scores = images, *net.activations(images).values()
        assert scores.equal(net(images))
        if name != "dense":
            with torch.inference_mode():
                output = net.get_submodule("output")(features.flatten(1))
            expected = -output if name == "lenet5_1998" else output  # penalties
            assert torch.allclose(expected, scores, rtol=1e-4, atol=1e-4)


def test_every_layer_is_shown_as_the_next_gets_it_and_the_network_left_as_it_was() -> None:
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
        by_layer = network.layers(net, image)
        assert {layer: tuple(values.shape) for layer, values in by_layer.items()} == shapes
        assert net.training
        assert not any(module._forward_hooks for module in net.modules())
    net = mnist_arch.build("lenet5")
    maps = net.s2(net.c1(net.pixels(image)).tanh())  # by hand
    assert torch.allclose(network.layers(net, image)["s2"], maps[0], atol=1e-6)


def test_dropout_is_no_layer_and_lets_everything_through() -> None:
    net, image = mnist_arch.build("dropout_cnn").train(), digits_of(1).images
    by_layer = network.layers(net, image)
    assert not [name for name in by_layer if "dropout" in name]
    assert by_layer["output"].equal(net.eval()(image)[0])


def test_misclassified_images_stand_by_confidence_with_label_and_prediction() -> None:
    test = Split(digits_of(4).images, torch.tensor([3, 1, 7, 9]))
    probabilities = torch.zeros(4, 10)
    for image, (predicted, confidence) in enumerate(((5, 0.5), (1, 0.99), (2, 0.9), (4, 0.7))):
        probabilities[image, predicted] = confidence
    figure = network.misclassified(*test, probabilities, "some")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["7 as 2\n90 %", "9 as 4\n70 %", "3 as 5\n50 %"]
    first = torch.from_numpy(figure.axes[0].images[0].get_array().data)
    assert first.equal(test.images[2, 0])
    assert figure.get_suptitle() == "some: all 3"


def test_the_confusion_matrix_has_its_counts_and_colours_errors_only() -> None:
    counts = (100 * torch.eye(10, dtype=torch.int64)).tolist()
    counts[4][9] = 7
    axes = network.confusion(counts, "some").axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[9, 4] == "7"  # across the prediction, down the truth
    assert texts[4, 9] == ""
    assert texts[3, 3] == "100"
    coloured = axes.images[0].get_array()
    assert coloured[4, 9] == 7
    assert coloured.count() == 1


def test_first_layers_are_shown_as_they_look_at_an_image() -> None:
    net = mnist_arch.build("lenet5")
    figure = network.filters(net, "some")
    for place, axes in enumerate(figure.axes[:6]):
        assert (axes.images[0].get_array() == net.c1.weight[place, 0].numpy(force=True)).all()
    most = net.c1.weight.abs().max().item()
    assert figure.axes[0].images[0].get_clim() == pytest.approx((-most, most))
    net = mnist_arch.build("mlp")
    figure = network.filters(net, "some")
    units = net.hidden.out_features
    assert figure.get_suptitle() == f"some: weights of hidden, the first 40 of {units} units"
    last = net.hidden.weight[39].view(28, 28).numpy(force=True)
    assert (figure.axes[39].images[0].get_array() == last).all()


def two_runs(make: Callable[..., Record] = record) -> Group:
    histories = [
        {"train/accuracy": [90.0, 95.0], "train/loss": [1.0, 0.5]},
        {"train/accuracy": [92.0, 97.0], "train/loss": [2.0, 0.7]},
    ]
    runs = enumerate(histories)
    return Group([make(seed=seed, history=history, epochs=2) for seed, history in runs])


def test_the_mean_of_runs_has_their_tags_and_its_spread(tmp_path: Path) -> None:
    alone = group([100], recipe="modern", history=HISTORY)
    folder, _ = tensorboard.write_means([two_runs(), alone], tmp_path)
    assert folder == tmp_path / "mlp-mean"
    tensorboard.write_means([two_runs()], tmp_path)  # again: replaces itself
    events = EventAccumulator(str(folder)).Reload()

    def values(tag: str) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in events.Scalars(tag)]

    assert values("train/accuracy") == [(1, 91), (2, 96)]
    assert values("error_percent/train") == [(1, 9), (2, 4)]
    low, high = (values(f"with_spread/mlp/train/accuracy/{line}") for line in ("low", "high"))
    # Two values two apart: sd is the square root of two.
    assert [value for _, value in low] == pytest.approx([91 - 2**0.5, 96 - 2**0.5])
    assert [value for _, value in high] == pytest.approx([91 + 2**0.5, 96 + 2**0.5])
    assert (folder / tensorboard.MARK).read_text() == "mlp, own: the mean of seeds 0, 1\n"


def test_sweeps_that_end_together_write_their_means_in_turn(tmp_path: Path) -> None:
    others = two_runs(partial(record, architecture="lenet5", parameters=60_806))

    def write(_: int) -> list[str]:
        return [each.name for each in tensorboard.write_means([two_runs(), others], tmp_path)]

    with ThreadPoolExecutor(4) as pool:
        written = [*pool.map(write, range(8))]
    assert written == [["mlp-mean", "lenet5-mean", "comparison"]] * 8
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(written[0])
    for folder in tmp_path.iterdir():
        assert len([*folder.glob("events.out.tfevents.*")]) == 1
        assert not [*folder.glob("*.part")]


def test_every_metric_that_runs_have_is_a_scalar_of_their_mean(tmp_path: Path) -> None:
    runs = two_runs()
    for each, value in zip(runs.records, (0.1, 0.3), strict=True):
        each.scores["test"] = dict.fromkeys(METRICS, value)
    (folder,) = tensorboard.write_means([runs], tmp_path)
    events = EventAccumulator(str(folder)).Reload()
    for name in METRICS:
        (event,) = events.Scalars(f"test/{name}")
        assert (event.step, event.value) == (2, pytest.approx(0.2))


def test_a_chart_of_the_custom_scalars_shows_one_net_and_misses_no_tag(tmp_path: Path) -> None:
    others = two_runs(partial(record, architecture="lenet5", parameters=60_806))
    folders = tensorboard.write_means([two_runs(), others], tmp_path)[:2]
    events = [EventAccumulator(str(folder)).Reload() for folder in folders]
    tags = [tag for each in events for tag in each.Tags()["scalars"]]
    charts = [chart for each in events for chart in charts_of(each)]
    assert {chart.title for chart in charts} == {"mlp", "lenet5"}
    for chart in charts:
        (band,) = chart.margin.series
        for tag in (band.value, band.lower, band.upper):
            assert tags.count(tag) == 1  # TensorBoard draws a chart's tags of all runs


def charts_of(events: EventAccumulator) -> list[layout_pb2.Chart]:
    (layout,) = events.Tensors("custom_scalars__config__")
    content = layout_pb2.Layout.FromString(layout.tensor_proto.string_val[0])
    return [chart for category in content.category for chart in category.chart]


def test_a_sweep_is_compared_in_pictures_that_name_what_differs(tmp_path: Path) -> None:
    shared = {"data": "mnist_5k", "variant": {"recipe.max_epochs": 2}}
    others = {"architecture": "lenet5", "recipe": "lenet5"}
    sweep = [two_runs(partial(record, **shared)), two_runs(partial(record, **shared, **others))]
    folder = tensorboard.write_means(sweep, tmp_path)[-1]
    images = EventAccumulator(str(folder)).Reload().Tags()["images"]
    assert set(images) == {"comparison/test_errors", "comparison/train_errors"}
    figures = tensorboard.comparison({tensorboard.name_of(group): group for group in sweep})
    (axes,) = figures["test_errors"].axes
    assert axes.get_title() == "test images, mnist_5k, max_epochs=2"
    assert {label.get_text() for label in axes.get_yticklabels()} == {"mlp", "lenet5"}
    assert axes.lines[0].get_xdata() == pytest.approx([2.41, 2.41])  # 241 of 10,000
    (axes,) = figures["train_errors"].axes
    assert axes.lines[0].get_ydata() == pytest.approx([9, 4])  # the mean of the two runs


def test_where_a_run_stopped_early_the_mean_ends(tmp_path: Path) -> None:
    runs = two_runs()
    runs.records[0].history["train/accuracy"].append(99.0)
    runs.records[1].history["only/here"] = [1.0, 2.0]
    folder, *_ = tensorboard.write_means([runs], tmp_path)
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars("train/accuracy")] == [1, 2]
    assert "only/here" not in events.Tags()["scalars"]


def test_the_mean_of_runs_that_were_not_tested_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = tensorboard.write_means([two_runs(), two_runs(untested)], tmp_path)
    names = ["mlp-mean", "mlp-test=false-mean", "comparison"]
    assert [path.name for path in folders] == names


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlp-mean").mkdir()
    (tmp_path / "mlp-mean/events.out.tfevents.mine").touch()
    with pytest.raises(UserError, match="mlp-mean: in the way of mlp, own: the mean"):
        tensorboard.write_means([two_runs()], tmp_path)
    assert (tmp_path / "mlp-mean/events.out.tfevents.mine").exists()


@pytest.mark.parametrize("left", [[], ["mean_of.txt.part"]])
def test_a_mean_that_was_killed_before_its_mark_is_written_again(
    tmp_path: Path, left: list[str]
) -> None:
    (tmp_path / "mlp-mean").mkdir()
    for name in left:
        (tmp_path / "mlp-mean" / name).touch()
    (folder,) = tensorboard.write_means([two_runs()], tmp_path)
    assert (folder / tensorboard.MARK).exists()
    assert not [*folder.glob("*.part")]
