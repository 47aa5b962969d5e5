"""What accuracy costs: the arithmetic of training, and of an answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean

import torch
from torch.utils.flop_counter import FlopCounterMode

from mnist_arch.analysis.groups import Group
from mnist_arch.models import blank
from mnist_arch.models.network import Network
from mnist_arch.runs.metrics import METRICS

IMAGES = 8  # that are counted together; an image's share does not depend on it


def answering_flops(net: Network) -> float:
    """Return the floating-point operations of one image's scores: those of layers with weights.

    A multiplication and an addition are two; a partial convolution counts as the dense one that
    it is computed by.
    """
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net.eval()(torch.zeros(IMAGES, 1, 28, 28))
    return counter.get_total_flops() / IMAGES


def training_flops(net: Network) -> float:
    """Return the same of one image in training, forward and backward."""
    images, labels = torch.zeros(IMAGES, 1, 28, 28), torch.zeros(IMAGES, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        net.head.loss(net.train()(images), labels).backward()
    return counter.get_total_flops() / IMAGES


@dataclass(frozen=True)
class Cost:
    """What some runs cost.

    Attributes:
        group: The runs.
        answering: Floating-point operations of one image's scores.
        training: Those of a whole training, on average.
        seconds: Of a training at the pace that was measured on an idle processor, in float32;
            None where it was not.
    """

    group: Group
    answering: float
    training: float
    seconds: float | None

    @property
    def errors(self) -> float:
        """The mean share of misclassified test images, in percent."""
        return 100 - mean(self.group.scores("test", METRICS["accuracy"].name))


def costs(groups: Iterable[Group], paces: Mapping[tuple[str, str], float]) -> list[Cost]:
    """Say what the runs of each network by its own recipe, and by the modern one, cost.

    Args:
        groups: Of runs.
        paces: Images/s in training, by network and recipe.
    """
    rows = []
    for group in groups:
        own = group.recipe == group.architecture
        if not (group.tested and group.first.data == "mnist" and not group.variant):
            continue
        if not own and group.recipe != "modern":
            continue
        net = blank(group.architecture)
        images = mean(each.epochs * each.images["train"] for each in group.records)
        pace = paces.get((group.architecture, group.recipe))
        training = images * training_flops(net)
        rows.append(Cost(group, answering_flops(net), training, images / pace if pace else None))
    return rows
