"""Published numbers against ours, and recipes against each other: rows from groups of runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

import numpy as np

from mnist_arch.analysis.groups import Group, usual
from mnist_arch.analysis.published import Claim, published
from mnist_arch.analysis.statistics import CONFIDENCE, Array, Difference, over_seeds
from mnist_arch.analysis.verdicts import Verdict, Word, judge
from mnist_arch.models import ARCHITECTURES

# The numbers of a source that its network is judged by, in the order of the rows.
KINDS = [
    (split, what) for what in ("accuracy", "loss") for split in ("test", "validation", "train")
]
ALL_TRAINING_IMAGES = 60_000
FEWEST_MATRICES = 20  # of which one in twenty can be farther off than all others


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
    def is_own(self) -> bool:
        """Whether the runs train as the source did, as far as that is known."""
        return self.claim.label == _label(self.group)

    @property
    def verdict(self) -> Verdict:
        """What the runs say of it, see `judge`."""
        claim, first = self.claim, self.group.first
        shared = claim.split == "test" or (
            claim.split == "train" and claim.images == ALL_TRAINING_IMAGES
        )
        return judge(self.values, claim, None if shared else first.images[claim.split or ""])


def claims(groups: Iterable[Group]) -> list[Judgement]:
    """Judge each source's main numbers by the runs that train as it did."""
    return [row for group in groups if _label(group) is not None for row in judged(group)]


def curves(groups: Iterable[Group]) -> list[Judgement]:
    """Judge the rest of what sources print by epoch, by the same runs."""
    rows = []
    for group in groups:
        label, main = _label(group), headline(group)
        rows += [
            Judgement(group, claim, reached(group, claim))
            for claim in published().claims_of(group.architecture)
            if claim.label == label and claim.epoch and claim not in main
        ]
    return [row for row in rows if row.values]


def _label(group: Group) -> str | None:
    """Return which of a source's trials some runs repeat: that with this label, or none."""
    if group.is_own:
        return ""
    first = group.first
    repeats = first.data == "mnist" and group.recipe == group.architecture
    return first.label if repeats and first.label else None


def tried(groups: Iterable[Group]) -> list[Judgement]:
    """Judge them by other recipes for the same numbers; changes to a recipe are `variations`."""
    others = [each for each in groups if each.recipe != each.architecture and is_other_way(each)]
    return [row for group in others for row in judged(group)]


def is_other_way(group: Group) -> bool:
    """Whether runs try to reach what a source claims, but not by its own recipe.

    A recipe is such a way if it is named after the network, as mlp_on_pytorch is. Runs with
    another augmentation ask another question.
    """
    own = [name for name in ARCHITECTURES if f"{group.recipe}_".startswith(f"{name}_")]
    others = _asks_otherwise(group)
    named_after = max(own, key=len, default="") == group.architecture
    repeats = any(
        trial.label and trial.label == group.first.label
        for _, trial in published().trials_of(group.architecture)
    )
    others = others or repeats or group.is_own
    return named_after and group.first.data == "mnist" and not others


def headline(group: Group) -> list[Claim]:
    """Choose the main numbers of the trial that some runs repeat: of each of `KINDS` the last.

    Runs with a label answer the trial of that label. All others answer the source's main trial,
    if they learned from as many images as its network did.
    """
    label, last = _label(group) or "", {}
    for claim in published().claims_of(group.architecture):
        as_many = claim.trained in (None, group.first.images["train"])
        if claim.label == label and (label or (claim.condition is None and as_many)):
            last[claim.split, claim.metric] = claim
    return [last[kind] for kind in KINDS if kind in last]


def judged(group: Group) -> list[Judgement]:
    """Put each headline number beside what the runs reached, where they measured it."""
    rows = [Judgement(group, claim, reached(group, claim)) for claim in headline(group)]
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
class Matrix:
    """A source's confusion matrix of the test images among those of some runs.

    A matrix is as far from others as chi-square has it: over the cells off the diagonal, the
    squared difference from their mean, divided by that mean and a half.

    Attributes:
        group: The runs, each with its matrix.
        source: The key of the source.
        distance: Of the source's matrix from all of ours.
        distances: Of each of ours from the others.
    """

    group: Group
    source: str
    distance: float
    distances: list[float]

    @property
    def rank(self) -> int:
        """Which the source's is, 1 for the farthest from the others."""
        return 1 + sum(each > self.distance for each in self.distances)

    @property
    def word(self) -> Word:
        """It could be one of ours but where it is among the farthest one in twenty."""
        if len(self.distances) < FEWEST_MATRICES:
            return Word.OPEN
        rare = self.rank <= (1 - CONFIDENCE) * (len(self.distances) + 1)
        return Word.CONTRADICTED if rare else Word.PLAUSIBLE


def matrices(groups: Iterable[Group]) -> list[Matrix]:
    """Judge each source's confusion matrix by the runs that train as it did."""
    rows = []
    for group in groups:
        ours = np.array([each.confusion for each in group.records if each.confusion], dtype=float)
        for source, trial in published().trials_of(group.architecture):
            matrix = trial.confusion
            if (
                trial.label == _label(group)
                and matrix
                and matrix.split == "test"
                and len(ours) > 1
            ):
                total, others = ours.sum(0), len(ours) - 1
                distances = [_distance(each, (total - each) / others) for each in ours]
                distance = _distance(np.array(matrix.rows, dtype=float), total / len(ours))
                rows.append(Matrix(group, source.key, distance, distances))
    return rows


def _distance(matrix: Array, expected: Array) -> float:
    off = ~np.eye(len(matrix), dtype=bool)
    return float(((matrix - expected) ** 2 / (expected + 0.5))[off].sum())


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


@dataclass(frozen=True)
class Variation:
    """A network by its own recipe, and with something in it changed.

    Attributes:
        change: From one to the other.
        judgement: What its source's headline number is to the changed runs; None where it is no
            number that they could answer.
    """

    change: Change
    judgement: Judgement | None


def variations(groups: Iterable[Group]) -> list[Variation]:
    """Put each network with one of its settings or arguments changed beside it as it is.

    Its own recipe in another precision is such a change; an augmentation, or another number of
    images, asks another question.
    """
    tested = [each for each in groups if each.tested and each.first.data == "mnist"]
    own = {group.architecture: group for group in usual(tested) if group.is_own}
    rows = []
    for group in tested:
        base = own.get(group.architecture)
        if base is None or group is base or group.recipe != group.architecture:
            continue
        one_change = group.is_own or group.precision == base.precision
        labelled = any(record.label for record in group.records)
        if one_change and not labelled and not _asks_otherwise(group):
            claim = published().headline(group.architecture)
            judgement = next((row for row in judged(group) if row.claim == claim), None)
            rows.append(Variation(Change(base, group), judgement))
    return rows


def _asks_otherwise(group: Group) -> bool:
    others = ("recipe.augmentation", "data.size")
    return any(key.startswith(others) for key in group.variant)


def modern(groups: Iterable[Group]) -> list[Change]:
    """Put each network by the modern recipe beside the same by its own, for as many epochs if run.

    Where the own recipe is shorter, what it makes of as many epochs tells what more training is
    worth, and what the recipe.
    """
    tested = [each for each in groups if each.tested and each.first.data == "mnist"]
    plain = {(each.architecture, each.recipe): each for each in usual(tested) if not each.variant}
    longer: dict[tuple[str, int], Group] = {}
    for group in tested:
        if group.recipe == group.architecture and group.variant.keys() == {"recipe.max_epochs"}:
            longer.setdefault((group.architecture, group.first.epochs), group)
    rows = []
    for after in tested:
        name = after.architecture
        before = longer.get((name, after.first.epochs)) or plain.get((name, name))
        if before and after is plain.get((name, "modern")):
            rows.append(Change(before, after))
    return rows
