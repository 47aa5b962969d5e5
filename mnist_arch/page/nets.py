"""Trained networks side by side: what each answers to one picture, as plain data for the page."""

import json
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_arch.analysis.groups import Group, groups
from mnist_arch.errors import UserError
from mnist_arch.inference.metadata import MEANINGS
from mnist_arch.inference.predictor import Predictor, from_checkpoint
from mnist_arch.inference.preprocess import SEVERAL, Prepared
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.heads import RadialBasis
from mnist_arch.page.readers import find_signs
from mnist_arch.reports.figures import network as figures
from mnist_arch.reports.templates import render
from mnist_arch.runs import checkpoint, records, shipped
from mnist_arch.runs.identity import identity
from mnist_arch.runs.records import Record

ANSWER = ("digit", "probability", "probabilities", "doubt")  # of an Answer, for the page
BITMAP = (12, 7)  # what the 84 units of F6 draw in the network of 1998 (section II-B)


@dataclass(frozen=True, eq=False)
class Net:
    """A trained network as the page presents it.

    Attributes:
        title: Its name; no two nets on a page have the same.
        architecture: A name of `mnist_arch.architectures`.
        recipe: A name in conf/recipe.
        epochs: That it was trained for; None where it is unknown.
        seed: Of its run; None where it is unknown.
        accuracy: Of its run on the test images, in percent; None where it is unknown.
        shipped: Whether its weights come with the package.
        meaning: What its ten probabilities are.
        predictor: The network.
    """

    title: str
    architecture: str
    recipe: str
    epochs: int | None
    seed: int | None
    accuracy: float | None
    shipped: bool
    meaning: str
    predictor: Predictor


def first_seeds(runs: Path) -> list[Path]:
    """Choose from the finished runs in a folder that classify digits: the first seed of each kind.

    Standard error names the records that are not readable, and the runs that stand for several.
    """
    chosen: dict[str, tuple[Record, Path]] = {}
    for path in sorted(runs.glob("*/record.json")):
        try:
            record = records.read(path)
        except UserError as error:
            sys.stderr.write(f"left out: {error}\n")
            continue
        if record.data != "fashion_mnist" and (path.parent / record.checkpoint).is_file():
            # The same command typed twice leaves two equal runs.
            chosen.setdefault(json.dumps(identity(record.config)), (record, path.parent))
    folders = {id(record): folder for record, folder in chosen.values()}
    firsts = []
    for group in groups(record for record, _ in chosen.values()):
        firsts.append(folders[id(group.first)])
        if group.records[1:]:
            sys.stderr.write(f"{firsts[-1]}: the first of {len(group.records)} seeds\n")
    return firsts


def load_nets(paths: Iterable[Path]) -> list[Net]:
    """Load trained networks from run folders or checkpoint files.

    Raises:
        UserError: One of them is no checkpoint of this library.
    """
    paths = list(paths)
    nets = [_load(path) for path in paths]
    counts = Counter(net.title for net in nets)
    return [
        replace(net, title=f"{net.title} ({path.name})")
        if counts[net.title] > 1 and not net.shipped
        else net
        for path, net in zip(paths, nets, strict=True)
    ]


def without_weights(nets: Iterable[Net]) -> list[dict[str, str]]:
    """Return the title of each network that is not among some, and the command that trains it."""
    known = {net.architecture for net in nets if net.recipe != shipped.READER}
    return [
        {"title": network.title, "command": f"python -m experiments.run model={name}"}
        for name, network in ARCHITECTURES.items()
        if name not in known
    ]


def _load(path: Path) -> Net:
    content = checkpoint.read(path)
    metadata, predictor = content["mnist_arch"], from_checkpoint(content, path)
    architecture, record = metadata["architecture"], records.read(path) if path.is_dir() else None
    recipe = metadata.get("recipe", architecture)
    epochs = record.epochs if record else content["epoch"] + 1 if "epoch" in content else None
    kind = "own" if recipe == architecture else recipe
    if record:  # by what arithmetic it was trained says little to who draws
        kind = Group([replace(record, precision="32-true")]).title
    title = predictor.net.title + ("" if kind == "own" else f" ({kind.removeprefix('own, ')})")
    return Net(
        title="Reader" if path == shipped.FOLDER / shipped.READER else title,
        architecture=architecture,
        recipe=recipe,
        epochs=epochs,
        seed=record.seed if record else metadata.get("seed"),
        accuracy=record.score("test", "accuracy") if record else None,
        shipped=path.parent == shipped.FOLDER,
        meaning=MEANINGS[type(predictor.net.head)].probabilities,
        predictor=predictor,
    )


def classify(nets: Sequence[Net], picture: bytes, *, number: bool) -> dict[str, Any]:
    """Classify the signs in a picture file with every net.

    Raises:
        UserError: It is no readable picture.
    """
    return read(nets, *find_signs(picture, number=number))


def read(nets: Sequence[Net], signs: list[Prepared], size: tuple[int, int]) -> dict[str, Any]:
    """Classify the signs of a picture, as `find_signs` returned them, with every net."""
    answers = [net.predictor.answers(signs) for net in nets]
    texts = ["".join(answer.text for answer in row) for row in answers]
    leader = leading(texts)
    return {
        "summary": render(
            "answers.txt.j2",
            votes=votes([net.title for net in nets], texts) if signs else {},
            leader=leader,
            count=len(nets),
            doubtful=sum(any(answer.doubt for answer in row) for row in answers),
        ),
        "size": size,
        "has_several": any(SEVERAL in sign.doubts for sign in signs),
        "signs": [{"image": _encoded(sign.image), "box": sign.box} for sign in signs],
        "nets": [
            {
                "text": text,
                "differs": leader not in (None, text),
                "signs": [{key: getattr(answer, key) for key in ANSWER} for answer in row],
            }
            for text, row in zip(texts, answers, strict=True)
        ],
    }


def votes(titles: Sequence[str], texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the nets behind each answer, the most frequent answer first."""
    return {
        text: [title for title, own in zip(titles, texts, strict=True) if own == text]
        for text, _ in Counter(texts).most_common()
    }


def leading(texts: Sequence[str]) -> str | None:
    """Return the answer that more nets give than any other; None if there is no such answer."""
    ranked = Counter(texts).most_common(2)
    if not ranked or (ranked[1:] and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def maps(net: Net, sign: Prepared) -> list[dict[str, Any]]:
    """Return what each layer of a net passes on of one sign, in the order of the layers.

    For each its name, the shape of one map and how many there are, the least and the greatest
    value, and all values as bytes in Base64, 0 the least and 255 the greatest. Units are one map
    of one row; those of F6 that were made to draw a bitmap draw it.
    """
    network = net.predictor.net
    by_layer = figures.layers(network, torch.from_numpy(sign.image)[None, None])
    bitmap = isinstance(network.head, RadialBasis)
    return [_maps(name, values.float(), bitmap=bitmap) for name, values in by_layer.items()]


def saliency(net: Net, sign: Prepared) -> dict[str, Any]:
    """Return a net's digit for one sign, and how much each of the 28x28 pixels counts for it.

    The pixels are bytes in Base64, 255 the one that counts most.
    """
    digit, weights = figures.saliency(net.predictor.net, torch.from_numpy(sign.image)[None, None])
    scaled = weights * (255 / max(float(weights.max()), 1e-9))
    return {"digit": digit, "pixels": _encoded(scaled.round().to(torch.uint8).numpy())}


def _maps(name: str, values: Tensor, *, bitmap: bool) -> dict[str, Any]:
    shape = tuple(values.shape)
    if values.numel() == len(values):
        values = values.reshape(1, *(BITMAP if name == "f6" and bitmap else (1, -1)))
    least, most = float(values.min()), float(values.max())
    scaled = (values - least) * (255 / max(most - least, 1e-9))
    count, height, width = values.shape
    return {
        "name": name.upper() if len(name) == 2 else name,  # C1, S2, ...: as the paper has them
        "shape": shape,
        "count": count,
        "height": height,
        "width": width,
        "least": least,
        "most": most,
        "pixels": _encoded(scaled.round().to(torch.uint8).numpy()),
    }


def _encoded(pixels: NDArray[np.uint8]) -> str:
    return b64encode(pixels.tobytes()).decode()
