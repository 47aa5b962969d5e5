"""What sources say in words, judged with numbers.

Claims of more and fewer errors are judged as those in numbers are: by the 95 % interval of a mean
over runs that differ in their seed only. That a network cannot classify some images is judged by
whether it classifies half of them correctly, once for each way in which it was trained.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean, stdev
from typing import NamedTuple

from scipy import stats

from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.analysis.groups import Group, usual
from mnist_arch.analysis.judgements import Change
from mnist_arch.analysis.published import published
from mnist_arch.analysis.robustness import Averaged, over_strengths, pairs
from mnist_arch.analysis.statistics import Difference, interval, over_seeds
from mnist_arch.runs.records import Record

HALF = 50  # percent correct, below which a network counts as failing
REORIENTED = {  # "inverted or reoriented": a corruption and its strength
    "inverted": ("inversion", 1),
    "turned by 90°": ("rotation", 90),
    "turned by 180°": ("rotation", 180),
}
UNCHANGED = "as they are"
CHANGED = {
    UNCHANGED: ("rotation", 0),
    "shifted by 3 pixels": ("shift", 3),
    "turned by 30°": ("rotation", 30),
    **REORIENTED,
}


class Verdict(StrEnum):
    """What our runs say about a statement."""

    HOLDS = "Holds"
    FAILS = "Does not hold"
    OPEN = "Cannot be judged"


@dataclass(frozen=True)
class Overfitting:
    """Whether training on all images costs accuracy.

    Attributes:
        change: From a fifth kept for validation, and the best epoch, to all images and the last.
        claimed: The change that the source says, in points.
    """

    change: Change
    claimed: float

    @property
    def is_single(self) -> bool:
        """Whether one of the two ways was run only once."""
        return min(len(self.change.before.records), len(self.change.after.records)) < 2

    @property
    def verdict(self) -> Verdict:
        """A change below zero holds; one less than claimed, surely, does not."""
        difference = self.change.difference
        if self.is_single or difference is None:
            return Verdict.OPEN
        if difference.high < 0:
            return Verdict.HOLDS
        return Verdict.FAILS if difference.low > self.claimed else Verdict.OPEN

    @property
    def size(self) -> str:
        """The change beside that claimed: ``less``, ``as much`` or ``more``."""
        low, high = (self.change.difference or (0, -math.inf, math.inf))[1:3]
        return "less" if low > self.claimed else "more" if high < self.claimed else "as much"


def overfitting(groups: Sequence[Group], name: str = "regularized_cnn") -> Overfitting | None:
    """Compare a network by its own recipe with the same trained on all images."""
    changes = [
        Change(part, whole)
        for part in groups
        for whole in groups
        if part.architecture == name == whole.architecture == whole.recipe and part.is_own
        if whole.variant == {"recipe.validation": 0, "recipe.keep": "last"}
        if (part.precision, "mnist") == (whole.precision, whole.first.data)
    ]
    if not changes:
        return None
    best = max(changes, key=lambda each: min(len(each.before.records), len(each.after.records)))
    part, whole = (
        claim.value
        for claim in published().claims_of(name)
        if (claim.split, claim.metric) == ("test", "accuracy")
    )
    return Overfitting(best, whole - part)


class Failures(NamedTuple):
    """Of some networks, how many classify less than half of some images correctly.

    ``low`` and ``high`` are the least and the greatest accuracy, in percent.
    """

    failing: int
    nets: int
    low: float
    high: float


@dataclass(frozen=True)
class Reorientation:
    """Whether dense networks fail on inverted and turned images, and CNNs do not.

    Attributes:
        nets: Every network that was tested, those that learned nothing included.
        dense: For each of CHANGED how the dense networks that learned fare.
        cnns: Likewise the convolutional ones.
    """

    nets: list[Averaged]
    dense: dict[str, Failures]
    cnns: dict[str, Failures]

    @property
    def all_dense_fail(self) -> bool:
        """Whether every dense network fails on each kind of reoriented images."""
        return all(self.dense[kind].failing == self.dense[kind].nets for kind in REORIENTED)

    @property
    def cnns_fail(self) -> str:
        """Which CNNs fail there: ``all``, ``some`` or ``none``."""
        rows = [self.cnns[kind] for kind in REORIENTED]
        if all(row.failing == row.nets for row in rows):
            return "all"
        return "some" if any(row.failing for row in rows) else "none"

    @property
    def verdict(self) -> Verdict:
        """It holds when every dense network fails and no CNN does."""
        holds = self.all_dense_fail and self.cnns_fail == "none"
        return Verdict.HOLDS if holds else Verdict.FAILS


def reorientation(tested: Iterable[Averaged]) -> Reorientation | None:
    """Compare dense networks with CNNs on inverted and on turned images."""
    kinds = {kind for kind, _ in CHANGED.values()}
    nets = [each for each in tested if kinds <= each.accuracies.keys()]
    trained = [each for each in nets if correct(each, UNCHANGED) >= HALF]
    dense, cnns = (
        [each for each in trained if each.is_convolutional is convolutional]
        for convolutional in (False, True)
    )
    if not (dense and cnns):
        return None
    return Reorientation(nets, _failures(dense), _failures(cnns))


def _failures(nets: Sequence[Averaged]) -> dict[str, Failures]:
    percents = {kind: [correct(each, kind) for each in nets] for kind in CHANGED}
    return {
        kind: Failures(sum(each < HALF for each in values), len(nets), min(values), max(values))
        for kind, values in percents.items()
    }


def correct(net: Averaged, kind: str) -> float:
    """Return the percentage of one of CHANGED that a network classifies correctly."""
    corruption, strength = CHANGED[kind]
    return net.accuracies[corruption][strength]


class Effect(NamedTuple):
    """The accuracies of networks on images of one kind, in percent."""

    title: str
    without: list[float]
    augmented: list[float]

    @property
    def changes(self) -> list[float]:
        """What each network gains by augmentation, in points."""
        return [new - old for old, new in zip(self.without, self.augmented, strict=True)]

    @property
    def gaining(self) -> int:
        return sum(change > 0 for change in self.changes)


@dataclass(frozen=True)
class Augmentation:
    """The same networks trained without augmentation and with it.

    Attributes:
        pairs: Of each network its runs without and with.
        effects: By the kind of images, mean over the strengths that change an image.
    """

    pairs: list[tuple[Averaged, Averaged]]
    effects: list[Effect]

    @property
    def fewest_runs(self) -> int:
        return min(net.runs for pair in self.pairs for net in pair)

    @property
    def titles(self) -> list[str]:
        """The name of each pair: that without, and the other's precision where it has another."""
        return [
            f"{old.title} (with augmentation {new.precision})"
            if new.precision != old.precision
            else old.title
            for old, new in self.pairs
        ]

    @property
    def differences(self) -> list[Difference | None]:
        """Of each network what it gains on all corruptions together, over seeds, in points."""
        return [over_seeds(new.corrupted, old.corrupted) for old, new in self.pairs]

    @property
    def gains(self) -> list[str]:
        """Where every network gains."""
        return [each.title for each in self.effects if each.gaining == len(self.pairs)]

    @property
    def losses(self) -> list[str]:
        """Where none does."""
        return [each.title for each in self.effects if not each.gaining]


def augmentation(tested: Iterable[Averaged]) -> Augmentation | None:
    """Compare what was trained with augmentation with the same trained without."""
    both = pairs(each for each in tested if each.accuracies.keys() >= CORRUPTIONS.keys())
    if not both:
        return None
    kinds = {UNCHANGED: UNCHANGED}
    kinds |= {name: each.title.partition(",")[0] for name, each in CORRUPTIONS.items()}
    effects = [
        Effect(
            title,
            *([_over_strengths(net, name) for net in side] for side in zip(*both, strict=True)),
        )
        for name, title in kinds.items()
    ]
    return Augmentation(both, effects)


def _over_strengths(net: Averaged, corruption: str) -> float:
    if corruption == UNCHANGED:
        return correct(net, UNCHANGED)
    return over_strengths(corruption, net.accuracies[corruption])


@dataclass(frozen=True)
class Extremes:
    """Whether some digits are misclassified the most, or the fewest of them.

    Errors are counted in percent of how many images a digit has. The claim holds when each of its
    digits leads each other one by the interval over runs, and does not when one is led.

    Attributes:
        group: The runs.
        digits: Those of the claim.
        most: Whether they are to have the most errors; else the fewest.
        leads: Of each of them over each other digit, in each run, in points.
    """

    group: Group
    digits: tuple[int, ...]
    most: bool
    leads: dict[tuple[int, int], list[float]]

    @property
    def runs_first(self) -> int:
        """In how many runs the claim's digits come first."""
        return sum(min(leads) > 0 for leads in zip(*self.leads.values(), strict=True))

    @property
    def pair(self) -> tuple[int, int]:
        """The digit of the claim, and its rival, that speak most against it."""
        return min(
            self.leads, key=lambda pair: (_certainty(self.leads[pair]), mean(self.leads[pair]))
        )

    @property
    def lead(self) -> list[float]:
        """Of that pair, in each run."""
        return self.leads[self.pair]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean of that lead."""
        return interval(self.lead)

    @property
    def verdict(self) -> Verdict:
        """One run judges nothing."""
        low, high = self.interval or (-math.inf, math.inf)
        return Verdict.HOLDS if low > 0 else Verdict.FAILS if high < 0 else Verdict.OPEN

    def errors(self, digit: int) -> int:
        """Return the misclassified test images of a digit, of all runs together."""
        return sum(record.errors_by_label[digit] for record in self.group.records)

    def images(self, digit: int) -> int:
        """Return its test images, likewise."""
        return sum(sum((record.confusion or [])[digit]) for record in self.group.records)

    def once(self, digit: int) -> int:
        """Return its errors in one run, on average."""
        return round(self.errors(digit) / len(self.group.records))

    @property
    def p(self) -> float:
        """How likely one run's errors on the pair were, were both digits equally hard.

        Exact binomial: what other test images could do.
        """
        digit, rival = self.pair
        test = stats.binomtest(
            self.once(digit),
            self.once(digit) + self.once(rival),
            self.images(digit) / (self.images(digit) + self.images(rival)),
            alternative="greater" if self.most else "less",
        )
        return float(test.pvalue)


def extremes(
    groups: Iterable[Group], name: str, digits: tuple[int, ...], *, most: bool
) -> Extremes | None:
    """Judge which digits a network misclassifies most, or least, by its own recipe.

    Of its precisions, by that with the most runs.
    """
    own = [each for each in by_digit(groups) if each.architecture == name]
    if not own:
        return None
    group = max(own, key=lambda each: len(each.records))
    rates = [error_rates(record) for record in group.records]
    sign = 1 if most else -1
    leads = {
        (digit, rival): [sign * (each[digit] - each[rival]) for each in rates]
        for digit in digits
        for rival in range(10)
        if rival not in digits
    }
    return Extremes(group, digits, most, leads)


def _certainty(lead: Sequence[float]) -> float:
    """Return how many standard errors a mean lead is above zero."""
    error = stdev(lead) / len(lead) ** 0.5 if lead[1:] else 0.0
    if error:
        return mean(lead) / error
    return math.copysign(math.inf, mean(lead)) if mean(lead) else 0.0


def by_digit(groups: Iterable[Group]) -> list[Group]:
    """Choose the runs by a network's own recipe whose errors are known by digit."""
    return [group for group in usual(groups) if group.is_own and group.first.confusion]


def error_rates(record: Record) -> list[float]:
    """Return the misclassified test images of each digit, in percent of its images."""
    sizes = [sum(row) for row in record.confusion or []]
    return [100 * each / n for each, n in zip(record.errors_by_label, sizes, strict=True)]


def mean_rates(group: Group) -> list[float]:
    """Return the mean `error_rates` over runs."""
    return [mean(rates) for rates in zip(*map(error_rates, group.records), strict=True)]


def are_extreme(group: Group, digits: Sequence[int], *, most: bool) -> bool:
    """Whether these digits have the greatest mean rates of all, or the smallest."""
    rates = mean_rates(group)
    order = sorted(range(10), key=rates.__getitem__, reverse=most)
    return {*order[: len(digits)]} == {*digits}
