"""What TensorBoard shows of finished runs besides their curves; the same figures as PNG files."""

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from mnist_arch import files
from mnist_arch.analysis.groups import Group
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.network import Network
from mnist_arch.reports.figures import network
from mnist_arch.reports.figures.style import write_png
from mnist_arch.reports.figures.training import training_curves
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import Record
from mnist_arch.runs.train import Run

EMBEDDED = 1_000  # images in the projector: some 2 MB
MARK = "mean_of.txt"  # says that a folder is one of `write_mean`


def figures(net: Network, record: Record, test: Split, probabilities: Tensor) -> dict[str, Figure]:
    """Draw a finished run: errors by epoch, misclassified images, first weights, feature maps.

    ``probabilities`` are (N, 10), the network's of the test split.
    """
    name = f"{record.architecture} (recipe {record.recipe}, seed {record.seed})"
    curves = {
        split: [[100 - value for value in record.history[f"{split}/accuracy"]]]
        for split in ("train", "validation")
        if f"{split}/accuracy" in record.history
    }
    label, image = test.labels[0], test.images[:1]
    return {
        "errors_by_epoch": training_curves(curves, name),
        "confusion": network.confusion(record.confusion or [], f"{name}: test images"),
        "misclassified": network.misclassified(*test, probabilities, name),
        "filters": network.filters(net, name),
        "feature_maps": network.feature_maps(net, image, f"{name}: a {label}, layer by layer"),
    }


def show(run: Run, test: Split | None = None) -> None:
    """Draw a tested run: PNG files in its folder, the same and an embedding for TensorBoard.

    ``test`` is the test split, None to load it from where the run had it.

    The projector shows the input of the output layer (of LeNet-5: F6) for the first test images;
    a network whose output layer sees the pixels themselves has no embedding.
    """
    folder, record, net = run.folder, run.record, run.network()
    root = record.config.get("data.root")
    test = test or sources.load(record.data, Path(root) if root else sources.default_root()).test
    (folder / "figures").mkdir(exist_ok=True)
    with SummaryWriter(folder) as writer:
        for name, figure in figures(net, record, test, run.predictions().probabilities).items():
            path = folder / "figures" / f"{name}.png"
            write_png(figure, path)
            pixels = np.asarray(Image.open(path).convert("RGB"))
            writer.add_image(name, pixels, record.epochs, dataformats="HWC")
        images, labels = test.images[:EMBEDDED], test.labels[:EMBEDDED]
        *_, features, _ = images, *network.activations(net, images).values()
        if features[0].numel() < images[0].numel():
            thumbnails = 1 - images.expand(-1, 3, -1, -1) / 255  # ink black, as in the figures
            writer.add_embedding(features.flatten(1), labels.tolist(), thumbnails, tag="features")


def write_means(groups: Iterable[Group], runs: Path) -> list[Path]:
    """Write one folder for each group of several runs: their mean by epoch, with its spread.

    In TensorBoard it stands among the runs, under the same tags; the custom scalars show it with a
    band of one standard deviation on either side. Written again, it replaces itself.

    Raises:
        UserError: There is a folder of that name that this did not write.
    """
    return [_write_mean(group, runs) for group in groups if len(group.records) > 1]


def _write_mean(group: Group, runs: Path) -> Path:
    title = f"{group.architecture}, {group.title}"
    name = re.sub(r"[^A-Za-z0-9._=-]+", "_", title.replace(", ", "-"))
    folder = runs / f"{name}{'' if group.tested else '-test=false'}-mean"
    if folder.exists() and not (folder / MARK).exists():
        raise UserError(f"{folder}: in the way of the mean of {title}; move it")
    folder.mkdir(parents=True, exist_ok=True)
    seeds = ", ".join(str(record.seed) for record in group.records)
    files.write(folder / MARK, f"{title}: the mean of seeds {seeds}\n")
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink()
    with SummaryWriter(folder) as writer:
        bands = {}
        tags = set.intersection(*({*record.history} for record in group.records))
        for tag in sorted(tags - {"learning_rate"}):
            for epoch, values in enumerate(_by_epoch(group, tag), start=1):
                middle, spread = mean(values), stdev(values)
                writer.add_scalar(tag, middle, epoch)
                writer.add_scalar(f"{tag}/mean-sd", middle - spread, epoch)
                writer.add_scalar(f"{tag}/mean+sd", middle + spread, epoch)
            bands[tag] = ["Margin", [tag, f"{tag}/mean-sd", f"{tag}/mean+sd"]]
        for metric in METRICS:
            if scores := group.scores("test", metric):
                writer.add_scalar(f"test/{metric}", mean(scores), group.first.epochs)
        writer.add_custom_scalars({title: bands})
    return folder


def _by_epoch(group: Group, tag: str) -> Iterable[tuple[float, ...]]:
    """Return the values of all runs, epoch by epoch; where one stopped early, until then."""
    return zip(*(record.history[tag] for record in group.records), strict=False)
