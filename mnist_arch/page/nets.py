"""What trained networks read in one picture, side by side, as plain data for the page."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_arch.inference import pictures
from mnist_arch.inference.metadata import MEANINGS
from mnist_arch.inference.predictor import Answer, Predictor, from_checkpoint
from mnist_arch.inference.preprocess import BLANK, Prepared, prepare, prepare_each
from mnist_arch.models.heads import RadialBasis
from mnist_arch.reports.figures.network import layers
from mnist_arch.runs import checkpoint, records

BITMAP = (12, 7)  # what the 84 units of F6 draw in the network of 1998 (section II-B)


@dataclass(frozen=True, eq=False)
class Net:
    """A trained network with the words that it is shown under.

    Attributes:
        title: Its name, no two nets' the same.
        about: How it was trained, and how well it reads, in a line each.
        meaning: What its ten probabilities are.
        predictor: The network.
    """

    title: str
    about: list[str]
    meaning: str
    predictor: Predictor


def load_nets(paths: Iterable[Path]) -> list[Net]:
    """Load trained networks from run folders or checkpoint files.

    Raises:
        UserError: One of them is no checkpoint of this library.
    """
    paths = list(paths)
    nets = [_loaded(path) for path in paths]
    many = Counter(net.title for net in nets)
    return [
        Net(f"{net.title} ({path.name})", net.about, net.meaning, net.predictor)
        if many[net.title] > 1
        else net
        for path, net in zip(paths, nets, strict=True)
    ]


def _loaded(path: Path) -> Net:
    content = checkpoint.read(path)
    card, predictor = content["mnist_arch"], from_checkpoint(content, path)
    name, recipe = card["architecture"], card.get("recipe") or "unknown"
    own, way = recipe == name, recipe.removeprefix(f"{name}_").replace("_", " ")
    about = [f"{name}, seed {card.get('seed', 'unknown')}"]
    if path.is_dir() and (accuracy := records.read(path).accuracy("test")) is not None:
        about.append(f"{accuracy:.2f} % of test digits")
    return Net(
        title=predictor.net.title + ("" if own else f" ({way})"),
        about=about,
        meaning=MEANINGS[type(predictor.net.head)].probabilities,
        predictor=predictor,
    )


def found(picture: bytes, *, number: bool) -> tuple[list[Prepared], tuple[int, int]]:
    """Find the signs in a picture file; returns them from left to right, and its (H, W).

    Without ``number`` the picture counts as one sign. A blank picture has none.

    Raises:
        UserError: It is no readable picture.
    """
    levels = pictures.read(picture, "this file")
    signs = prepare_each(levels) if number else [prepare(levels)]
    height, width = levels.shape
    return [sign for sign in signs if BLANK not in sign.doubts], (height, width)


def read(nets: Sequence[Net], picture: bytes, *, number: bool) -> dict[str, Any]:
    """Read a picture file with every net.

    Raises:
        UserError: It is no readable picture.
    """
    signs, size = found(picture, number=number)
    answers = [net.predictor.answers(signs) for net in nets]
    texts = ["".join(str(answer.digit) for answer in read) for read in answers]
    leader = leading(texts)
    return {
        "said": said([net.title for net in nets], texts, answers),
        "size": size,
        "signs": [{"image": _encoded(sign.image), "box": sign.box} for sign in signs],
        "nets": [
            {
                "text": text,
                "differs": leader is not None and text != leader,
                "signs": [_signed(answer) for answer in read],
            }
            for text, read in zip(texts, answers, strict=True)
        ],
    }


def leading(texts: Sequence[str]) -> str | None:
    """Return what more nets read than anything else; None if there is no such reading."""
    ranked = Counter(texts).most_common(2)
    if not ranked or (ranked[1:] and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def said(titles: Sequence[str], texts: Sequence[str], answers: Sequence[Sequence[Answer]]) -> str:
    """Say in a sentence what is read, who disagrees, and how many doubt it.

    ``texts`` are the nets' readings, ``answers`` those of each sign; empty for a blank picture.
    """
    if not any(texts):
        return f"{BLANK.capitalize()}."
    doubting = [any(answer.doubt for answer in read) for read in answers]
    if len(titles) == 1:
        chance = f" ({100 * answers[0][0].probability:.1f} %)" if len(answers[0]) == 1 else ""
        doubts = list(dict.fromkeys(answer.doubt for answer in answers[0] if answer.doubt))
        doubt = f", doubtful: {'; '.join(doubts)}" if doubts else ""
        return f"{titles[0]} reads {texts[0]}{chance}{doubt}."
    readers: dict[str, list[str]] = {}
    for title, text in zip(titles, texts, strict=True):
        readers.setdefault(text, []).append(title)
    groups = sorted(readers.items(), key=lambda group: -len(group[1]))
    parts = [f"{_listed(names)} read{'s' * (len(names) == 1)} {text}" for text, names in groups]
    if len(groups) == 1:
        parts[0] = f"{'Both' if len(titles) == 2 else f'All {len(titles)}'} nets read {texts[0]}"
    elif leading(texts) is not None and len(groups[0][1]) > 2:
        parts[0] = f"{len(groups[0][1])} of {len(titles)} nets read {groups[0][0]}"
    if any(doubting):
        count = sum(doubting)
        who = "all" if count == len(titles) else str(count)
        parts.append(f"{who} doubt{'s' * (count == 1)} it")
    return "; ".join(parts) + "."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _signed(answer: Answer) -> dict[str, Any]:
    names = ("digit", "probability", "probabilities", "doubt")
    return {name: getattr(answer, name) for name in names}


def maps(net: Net, sign: Prepared) -> list[dict[str, Any]]:
    """Return what each layer of a net hands on of one sign, in the order of the layers.

    For each its name, the shape of one map and how many there are, the least and the greatest
    value, and all values as bytes in Base64, 0 the least and 255 the greatest. Units are one map
    of one row; those of F6 that were made to draw a bitmap draw it.
    """
    seen = layers(net.predictor.net, torch.from_numpy(sign.image)[None, None])
    return [
        _layer(name, values.float(), isinstance(net.predictor.net.head, RadialBasis))
        for name, values in seen.items()
    ]


def _layer(name: str, values: Tensor, draws: bool) -> dict[str, Any]:
    shape = tuple(values.shape)
    if values.numel() == len(values):
        values = values.reshape(1, *(BITMAP if name == "f6" and draws else (1, -1)))
    least, most = float(values.min()), float(values.max())
    levels = (values - least) * (255 / max(most - least, 1e-9))
    count, height, width = values.shape
    return {
        "name": name.upper() if len(name) == 2 else name,  # C1, S2, ...: as the paper has them
        "shape": shape,
        "count": count,
        "height": height,
        "width": width,
        "least": least,
        "most": most,
        "levels": _encoded(levels.round().to(torch.uint8).numpy()),
    }


def _encoded(levels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    return b64encode(levels.tobytes()).decode()
