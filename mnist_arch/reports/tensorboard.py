"""What TensorBoard shows of finished runs besides their curves; the same figures as PNG files."""

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
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
from mnist_arch.reports.figures import network, sweep
from mnist_arch.reports.figures.style import write_png
from mnist_arch.reports.figures.training import training_curves
from mnist_arch.runs.folders import MEAN as MARK
from mnist_arch.runs.folders import in_turn
from mnist_arch.runs.identity import described, kind_name
from mnist_arch.runs.metrics import METRICS
from mnist_arch.runs.records import Record
from mnist_arch.runs.train import Run
from mnist_arch.training.classifier import charted

EMBEDDED = 1_000  # images in the projector: some 2 MB
FIGURES = ".figures"  # ends the name of the file that has them
LINES = ("mean", "low", "high")  # of a band


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
        "misclassified": network.misclassified(*test, probabilities, f"Misclassified by {name}"),
        "filters": network.filters(net, name),
        "feature_maps": network.feature_maps(net, image, f"{name}: a {label}, layer by layer"),
    }


def show(run: Run, test: Split | None = None, *, again: bool = True) -> None:
    """Draw a tested run: PNG files in its folder, the same and an embedding for TensorBoard.

    ``test`` is the test split, None to load it from where the run had it. With ``again``
    false, figures that are there stay, also those that another process drew meanwhile.

    The projector shows the input of the output layer (of LeNet-5: F6) for the first test images;
    a network whose output layer sees the pixels themselves has no embedding. The folder figures/
    appears when all of this is there.
    """
    with in_turn(run.folder):  # the same command may be typed again meanwhile
        if again or not (run.folder / "figures").exists():
            _draw(run, test)


def _draw(run: Run, test: Split | None) -> None:
    folder, record, net = run.folder, run.record, run.network()
    root = record.config.get("data.root")
    test = test or sources.load(record.data, Path(root) if root else sources.default_root()).test
    drawn, unfinished = folder / "figures", folder / "figures.part"
    for before in (drawn, unfinished):
        shutil.rmtree(before, ignore_errors=True)
    unfinished.mkdir()
    try:
        for earlier in folder.glob(f"events.out.tfevents.*{FIGURES}"):
            earlier.unlink()
        with SummaryWriter(folder, filename_suffix=FIGURES) as writer:
            for name, figure in figures(
                net, record, test, run.predictions().probabilities
            ).items():
                path = unfinished / f"{name}.png"
                write_png(figure, path)
                pixels = np.asarray(Image.open(path).convert("RGB"))
                writer.add_image(f"figures/{name}", pixels, record.epochs, dataformats="HWC")
            images, labels = test.images[:EMBEDDED], test.labels[:EMBEDDED]
            *_, features, _ = images, *net.activations(images).values()
            if features[0].numel() < images[0].numel():
                thumbnails = 1 - images.expand(-1, 3, -1, -1) / 255  # ink black, as in the figures
                writer.add_embedding(
                    features.flatten(1), labels.tolist(), thumbnails, tag="features"
                )
        unfinished.rename(drawn)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_means(groups: Iterable[Group], runs: Path) -> list[Path]:
    """Write one folder for each group of several runs: their mean by epoch, with its spread.

    In TensorBoard it stands beside its runs, under their name and tags; the custom scalars show it
    with a band of one standard deviation on either side. Several groups are compared in pictures,
    in a folder of their own. Written again, all that replaces itself.

    Raises:
        UserError: There is a folder of that name that this did not write.
    """
    gathered = list(groups)
    with in_turn(runs):  # another sweep of the same words may end in the same second
        folders = [_write_mean(group, runs) for group in gathered if len(group.records) > 1]
        return [*folders, *([_write_comparison(gathered, runs)] if gathered[1:] else [])]


def name_of(group: Group) -> str:
    """Return what the names of a group's runs have in common."""
    first = group.first
    changes = [first.label] if first.label else described(first.variant)
    names = (first.architecture, first.recipe, first.data, first.precision)
    return kind_name(*names, changes, tested=first.tested)


def _write_mean(group: Group, runs: Path) -> Path:
    seeds = ", ".join(str(record.seed) for record in group.records)
    name, title = name_of(group), f"{group.architecture}, {group.title}"
    folder = _emptied(runs / f"{name}-mean", f"{title}: the mean of seeds {seeds}")
    with SummaryWriter(folder) as writer:
        charts: dict[str, dict[str, list[str | list[str]]]] = {}
        for tag, curves in _curves(group).items():
            # A chart draws its tags of every run that has them: these are of this one alone.
            band = [re.sub(r"[^\w./-]", "_", f"with_spread/{name}/{tag}/{line}") for line in LINES]
            charts[tag] = {name: ["Margin", band]}
            for epoch, values in enumerate(zip(*curves, strict=False), start=1):
                middle, spread = mean(values), stdev(values)
                writer.add_scalar(tag, middle, epoch)
                for line, value in zip(
                    band, (middle, middle - spread, middle + spread), strict=True
                ):
                    writer.add_scalar(line, value, epoch)
        writer.add_custom_scalars(charts)
        scores = {f"test/{metric}": group.scores("test", metric) for metric in METRICS}
        final = {tag: mean(values) for tag, values in scores.items() if values}
        for tag, value in charted(final).items():
            writer.add_scalar(tag, value, group.first.epochs)
    return folder


def _write_comparison(groups: Sequence[Group], runs: Path) -> Path:
    names = [name_of(group) for group in groups]
    folder = _emptied(runs / "comparison", f"{', '.join(names)}: side by side")
    with SummaryWriter(folder) as writer:
        for name, figure in comparison(dict(zip(names, groups, strict=True))).items():
            file = BytesIO()
            figure.savefig(file, format="png")
            pixels = np.asarray(Image.open(file).convert("RGB"))
            writer.add_image(f"comparison/{name}", pixels, dataformats="HWC")
    return folder


def comparison(groups: Mapping[str, Group]) -> dict[str, Figure]:
    """Draw what tells named groups of runs apart: errors of the test, and by epoch.

    What all names have in common stands in the titles.
    """
    groups, common = _told_apart(groups)
    figures = {}
    by_name = {
        name: [100 - value for value in scores]
        for name, group in groups.items()
        if (scores := group.scores("test", "accuracy"))
    }
    if by_name:
        figures["test_errors"] = sweep.errors(by_name, ", ".join(["test images", *common]))
    for split in ("train", "validation"):
        tag = f"error_percent/{split}"
        curves = {name: _curves(group).get(tag, []) for name, group in groups.items()}
        if curves := {name: runs for name, runs in curves.items() if runs}:
            figures[f"{split}_errors"] = sweep.errors_by_epoch(
                curves, ", ".join([f"{split} images", *common])
            )
    return figures


def _told_apart(groups: Mapping[str, Group]) -> tuple[dict[str, Group], list[str]]:
    """Shorten names to what differs; return the groups by these, and what was left out.

    >>> _told_apart({"mlp-a": 1, "dense-a": 2})
    ({'mlp': 1, 'dense': 2}, ['a'])
    """
    parts = {name: name.split("-") for name in groups}
    common = [
        part for part in next(iter(parts.values()))[1:] if all(part in p for p in parts.values())
    ]
    short = {
        "-".join(p for p in parts[name] if p not in common): group
        for name, group in groups.items()
    }
    return (short, common) if len(short) == len(groups) else (dict(groups), [])


def _emptied(folder: Path, what: str) -> Path:
    """Make a folder of ours, or empty it, and mark it.

    Raises:
        UserError: There is one that is not ours.
    """
    marks = {MARK, f"{MARK}.part"}
    inside = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if inside and not inside & marks:  # one that was killed before its mark is whole is ours, too
        raise UserError(f"{folder}: in the way of {what}; move it")
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / MARK, f"{what}\n")
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink()
    return folder


def _curves(group: Group) -> dict[str, list[list[float]]]:
    """Return the curve of each run for whatever is a matter of errors or loss, by its tag.

    They are as long as the runs; one may have stopped early.
    """
    curves: dict[str, list[list[float]]] = {}
    shared = set.intersection(*({*record.history} for record in group.records))
    for record in group.records:
        for tag in sorted(shared):
            values = record.history[tag]
            if tag.endswith("/accuracy"):
                errors = [100 - value for value in values]
                curves.setdefault(f"error_percent/{tag.removesuffix('/accuracy')}", []).append(
                    errors
                )
            if tag != "learning_rate":
                curves.setdefault(tag, []).append(values)
    return dict(sorted(curves.items()))
