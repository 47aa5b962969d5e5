"""Published numbers against ours, and recipes against each other: rows from groups of runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from mnist_arch.analysis.groups import Group
from mnist_arch.analysis.published import Claim, published
from mnist_arch.analysis.statistics import Difference, over_seeds, verdict
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.metrics import METRICS

# The numbers of a source that its network is judged by, in the order of the rows.
KINDS = (("test", "accuracy"), ("validation", "accuracy"), ("train", "accuracy"), ("test", "loss"))
ALL_TRAINING_IMAGES = 60_000


@dataclass(frozen=True)
class Judgement:
    """A published number against some runs.

    Attributes:
        group: The runs.
        claim: The number.
        values: What each run reached, in the unit of the claim's metric.
    """

    group: Group
    claim: Claim
    values: list[float]

    @property
    def verdict(self) -> str:
        """A word of `statistics.verdict`."""
        better_up = METRICS[self.claim.metric].higher_is_better
        return verdict(self.values, self.claim.value, greater_is_better=better_up)


def claims(groups: Iterable[Group]) -> list[Judgement]:
    """Judge each source's numbers by the runs that train as it did."""
    return [row for group in groups if group.is_own for row in judged(group)]


def tried(groups: Iterable[Group]) -> list[Judgement]:
    """Judge them by other ways to the same numbers."""
    return [row for group in groups if is_other_way(group) for row in judged(group)]


def is_other_way(group: Group) -> bool:
    """Whether runs try to reach what a source claims, but not by its own recipe.

    A recipe is such a way if it is named after the network, as mlp_on_tensorflow is. Runs with
    another augmentation ask another question.
    """
    own = [name for name in ARCHITECTURES if f"{group.recipe}_".startswith(f"{name}_")]
    others = any(key.startswith("recipe.augmentation") for key in group.variant)
    named_after = max(own, key=len, default="") == group.architecture
    return named_after and group.first.data == "mnist" and not (group.is_own or others)


def headline(network: str) -> list[Claim]:
    """Choose the numbers of a source's main trial by which its network is judged.

    Of each of KINDS, that after the last epoch; a training accuracy only where the source trained
    on all of MNIST's training images, as our runs do.
    """
    last = {}
    for claim in published().claims_of(network):
        partial = claim.split == "train" and claim.images != ALL_TRAINING_IMAGES
        if claim.condition is None and not partial:
            last[claim.split, claim.metric] = claim
    return [last[kind] for kind in KINDS if kind in last]


def judged(group: Group) -> list[Judgement]:
    """Put each headline number beside what the runs reached, where they measured it."""
    rows = [
        Judgement(group, claim, reached(group, claim)) for claim in headline(group.architecture)
    ]
    return [row for row in rows if row.values]


def reached(group: Group, claim: Claim) -> list[float]:
    """Return what each run reached where a claim's source measured; [] where they did not.

    Test images are classified by the kept weights. Training accuracy is counted while the network
    learns, by Keras and by the paper of 1998 alike, and validation accuracy after the claim's
    epoch; where the source names none, by the kept weights.
    """
    split, metric = claim.split or "", claim.metric
    if split == "test" or (split == "validation" and claim.epoch is None):
        return group.scores(split, metric)
    epoch = claim.epoch or group.first.kept_epoch
    curves = [record.history.get(f"{split}/{metric}", []) for record in group.records]
    return [curve[epoch - 1] for curve in curves if len(curve) >= epoch]


@dataclass(frozen=True)
class Change:
    """The test accuracies, in percent, of runs trained in another way than those before."""

    before: Group
    after: Group

    @property
    def points(self) -> float:
        """The difference of the means."""
        first, second = (
            mean(each.scores("test", "accuracy")) for each in (self.before, self.after)
        )
        return second - first

    @property
    def difference(self) -> Difference | None:
        """The same with its interval, see `over_seeds`."""
        first, second = (each.scores("test", "accuracy") for each in (self.before, self.after))
        return over_seeds(second, first)


def modern(groups: Iterable[Group]) -> list[Change]:
    """Put each network by the modern recipe beside the same by its own."""
    by_recipe: dict[str, dict[str, Group]] = {}
    for group in groups:
        if group.first.data == "mnist" and group.tested and not group.variant:
            by_recipe.setdefault(group.architecture, {}).setdefault(group.recipe, group)
    return [
        Change(recipes[name], recipes["modern"])
        for name, recipes in by_recipe.items()
        if {name, "modern"} <= recipes.keys()
    ]
