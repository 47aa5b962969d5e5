"""What the sources say in prose, each as a sentence with numbers: the page docs/claims.md.

Claims of more and fewer errors are judged as those in numbers are, by the 95 % interval of a mean
over runs that differ in their seed only. That a network cannot read some digits is judged by
whether it reads half of them, once for each way in which it was trained.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

from scipy import stats

from mnist_arch.analysis import robustness
from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.analysis.robustness import Averaged
from mnist_arch.analysis.statistics import interval, over_seeds
from mnist_arch.reports import results
from mnist_arch.reports.results import Group, markdown
from mnist_arch.runs import records
from mnist_arch.runs.records import Record

Which = Literal["most", "fewest"]

READABLE = 50  # percent read right, below which a network counts as unable to read such images
MEANT = {  # by inverted or reoriented: a corruption and its strength
    "inverted": ("inversion", 1),
    "turned by 90°": ("rotation", 90),
    "turned by 180°": ("rotation", 180),
}
SHOWN = {
    "as they are": ("rotation", 0),
    "shifted by 3 pixels": ("shift", 3),
    "turned by 30°": ("rotation", 30),
    **MEANT,
}
DROP = 98.53 - 99.36  # points of test accuracy, by which source 001 says its network overfits

PAGE = """\
# Claims in prose

What sources 000 and 001 say of their networks in words, judged by the records in
[results/](../results). `python -m experiments.robustness --from-records` writes this page and its
figures; a test fails when they differ from the records. Claims in numbers are in the
[README](../README.md).

## Training on all 60,000 digits overfits

*Source 001: with a fifth of the digits held out for validation its network reads 99.36 % of the
test digits, retrained on all 60,000 without validation 98.53 %, which it calls overfitting.*

{overfitting}

## A dense network cannot read inverted or reoriented digits, a CNN can

*Source 000.*

{turned}

To answer 1 always reads 11.35 % right; 0, 1 and 8, 31 % of the test digits, look much the
same turned by 180°.

## What training on distorted digits changes

Each network is trained twice by the same recipe, with the distortions of `augmented_cnn`
(rotation, zoom, shift) and without, and reads corrupted digits: accuracy, mean over the strengths
of a corruption and over the networks.

{distorted}

## Most errors are on 9, fewest on 0 and 1

*Source 000, of the network that is `dropout_cnn` here.*

{most_on_9}

{fewest_on_0_and_1}

## Most errors are on 9 and 6

*Source 001, of the network that is `regularized_cnn` here.*

{most_on_9_and_6}

## Errors by digit

Misread test digits of each kind in percent of how many there are of it, mean over the runs of each
network by its own recipe; the greatest in bold.

{by_digit}

{ranked}

## Corrupted digits

Every network reads the same corrupted test digits. The MNIST-C-like corruptions are our own code,
named after those of MNIST-C (Mu and Gilmer 2019), not its published images.

![Accuracy against the strength of seven corruptions](robustness.png)

![Accuracy on MNIST-C-like corruptions](robustness_mnist_c.png)

What the corruptions look like, weakest to strongest:

![Ten digits under each corruption](corruptions.png)
"""


def page(folder: Path) -> str:
    """Write the page from the records in a folder, and in its folder robustness.

    Raises:
        UserError: A record is not readable.
    """
    groups = [group for group in results.groups(records.read_all(folder)) if group.tested]
    tested = robustness.averaged(robustness.read_all(folder / "robustness"))
    return PAGE.format(
        overfitting=overfitting(groups),
        turned=turned(tested),
        distorted=distorted(tested),
        most_on_9=set_apart(_own(groups, "dropout_cnn"), (9,), "most"),
        fewest_on_0_and_1=set_apart(_own(groups, "dropout_cnn"), (0, 1), "fewest"),
        most_on_9_and_6=set_apart(_own(groups, "regularized_cnn"), (9, 6), "most"),
        by_digit=markdown(by_digit(groups)),
        ranked=ranked(groups),
    )


def overfitting(groups: Sequence[Group]) -> str:
    """Compare regularized_cnn by its own recipe with the same trained on all digits."""
    name = "regularized_cnn"
    pairs = [
        (part, whole)
        for part in groups
        for whole in groups
        if part.architecture == name and part.is_own and _is_own_on_all_digits(whole)
        if (part.architecture, part.precision) == (whole.architecture, whole.precision)
    ]
    if not pairs:
        return (
            "**Not measured yet**: there is no run of `python -m experiments.run "
            f"model={name} recipe.validation=0 recipe.keep=last`."
        )
    part, whole = max(pairs, key=lambda pair: min(len(group.records) for group in pair))
    before, after = _accuracies(part, "test"), _accuracies(whole, "test")
    told = (
        f"With a fifth held out and its best epoch kept, `{name}` reads {_over_runs(before)} of "
        f"the test digits; trained on all 60,000, its last epoch kept, {_over_runs(after)}, and "
        f"{mean(_accuracies(whole, 'train')):.2f} % of those 60,000."
    )
    if min(len(before), len(after)) < 2:
        return f"{told} **Cannot be judged**: one run of a kind judges nothing."
    change = over_seeds(after, before)
    if change is None:
        return f"{told} **Cannot be judged**: the runs do not differ."
    low, high = change.low, change.high
    told += (
        f" All digits change it by {change.value:+.2f} points (95 % interval "
        f"{low:+.2f} to {high:+.2f}); the source's change is {DROP:+.2f}."
    )
    if high < 0:
        size = "less than" if low > DROP else "more than" if high < DROP else "as much as"
        return f"{told} **Holds**: it reads fewer right, by {size} the source says."
    if low > DROP:
        return f"{told} **Does not hold**: a loss as large as the source's is ruled out."
    return f"{told} **Cannot be judged** with so few runs."


def turned(tested: Sequence[Averaged]) -> str:
    """Compare dense networks with CNNs on inverted and on turned digits."""
    tested = [
        each for each in tested if {"inversion", "rotation", "shift"} <= each.accuracies.keys()
    ]
    learnt = [each for each in tested if _right(each, "as they are") >= READABLE]
    dense = [each for each in learnt if not each.is_convolutional]
    cnns = [each for each in learnt if each.is_convolutional]
    if not (dense and cnns):
        return "**Not measured yet**: no runs of both kinds were tested on corrupted digits."
    failing = {column: (_failing(dense, column), _failing(cnns, column)) for column in SHOWN}
    dense_fail = all(failing[column][0] == len(dense) for column in MEANT)
    cnns_fail = [failing[column][1] for column in MEANT]
    one = "every dense network fails" if dense_fail else "some dense network does not fail"
    other = "so do some CNNs"
    if min(cnns_fail) == len(cnns):
        other = "so does every CNN"
    elif not any(cnns_fail):
        other = "no CNN does"
    verdict = "Holds" if dense_fail and not any(cnns_fail) else "Does not hold"
    lines = [
        f"**{verdict}**: on digits {', '.join(MEANT)} {one}, and {other}, where to read less than "
        f"{READABLE} % right is to fail. Counted is each training of a network, a row below, by "
        f"which it reads at least {READABLE} % of the digits as they are.",
        "",
    ]
    lines += [
        f"* Digits {column}: {failing[column][0]} of {len(dense)} trained dense networks fail "
        f"({_span(dense, column)}), {failing[column][1]} of {len(cnns)} trained CNNs "
        f"({_span(cnns, column)})."
        for column in SHOWN
        if column != "as they are"
    ]
    sources_own = [each for each in tested if each.title == "dropout_cnn"]
    lines += [
        f"\nThe source's own network, `{each.title}`, reads "
        + ", ".join(f"{_right(each, column):.2f} % {column}" for column in MEANT)
        + f" ({each.runs} run{'s' * (each.runs > 1)})."
        for each in sources_own
    ]
    rows: list[Sequence[str]] = [
        (
            each.title,
            "CNN" if each.is_convolutional else "dense",
            "yes" if each.augmented else "no",
            str(each.runs),
            *(f"{_right(each, column):.2f} %" for column in SHOWN),
        )
        for each in tested
    ]
    header = ("network", "kind", "trained on distorted digits", "runs", *SHOWN)
    return "\n".join([*lines, "", markdown((header, rows))])


def distorted(tested: Sequence[Averaged]) -> str:
    """Compare what was trained on distorted digits with the same trained without."""
    whole = [each for each in tested if each.accuracies.keys() >= CORRUPTIONS.keys()]
    pairs = robustness.pairs(whole)
    if not pairs:
        return (
            "**Not measured yet**: no network was tested that was trained both ways, such as by "
            "`python -m experiments.run model=lenet5` with and without `experiment=distorted`."
        )
    intact = "as they are"
    sides = {intact: [(_right(one, intact), _right(other, intact)) for one, other in pairs]} | {
        corruption.title.partition(",")[0]: [
            (_over_strengths(one, name), _over_strengths(other, name)) for one, other in pairs
        ]
        for name, corruption in CORRUPTIONS.items()
    }
    rows: list[Sequence[str]] = []
    gaining: dict[int, list[str]] = defaultdict(list)
    for name, read in sides.items():
        before, after = (mean(column) for column in zip(*read, strict=True))
        changes = [new - old for old, new in read]
        gains = sum(change > 0 for change in changes)
        gaining[gains].append(name)
        row = [name, f"{before:.2f} %", f"{after:.2f} %", f"{after - before:+.2f}"]
        row += [f"{min(changes):+.2f} to {max(changes):+.2f}", f"{gains} of {len(pairs)}"]
        rows.append(row)
    header = ("digits", "without", "with", "difference", "least to greatest", "networks that gain")
    names = ", ".join(f"`{without.title}`" for without, _ in pairs)
    runs = min(net.runs for pair in pairs for net in pair)
    return "\n".join(
        [
            f"At least {runs} run{'s' * (runs > 1)} with and without of each: {names}. A small "
            "difference of one network may be chance.",
            "",
            f"* Every network gains on: {', '.join(gaining[len(pairs)]) or 'nothing'}.",
            f"* No network gains on: {', '.join(gaining[0]) or 'nothing'}.",
            "",
            markdown((header, rows)),
        ]
    )


def _over_strengths(net: Averaged, corruption: str) -> float:
    """Return the mean accuracy of a network over the strengths that change a digit."""
    neutral = CORRUPTIONS[corruption].neutral
    return mean(
        right for strength, right in net.accuracies[corruption].items() if strength != neutral
    )


def set_apart(group: Group | None, digits: Sequence[int], which: Which) -> str:
    """Say whether a network misreads those digits the ``most``, or the ``fewest`` of them.

    Misread digits are counted in percent of how many there are. The claim holds when each of those
    digits leads each other one by the interval over runs, and does not when one is led.
    """
    if group is None:
        return "**Not measured yet**: there is no such run."
    sign = 1 if which == "most" else -1
    every, images = [_rates(record) for record in group.records], _images(group.records[0])
    leads = {
        (digit, rival): [sign * (rates[digit] - rates[rival]) for rates in every]
        for digit in digits
        for rival in range(10)
        if rival not in digits
    }
    pair = min(leads, key=lambda pair: (_certainty(leads[pair]), mean(leads[pair])))
    (digit, rival), runs = pair, len(every)
    low, high = interval(leads[pair]) or (leads[pair][0], leads[pair][0])
    errors = [sum(_errors(record)[digit] for record in group.records) for digit in range(10)]

    def share(digit: int) -> str:
        total = runs * images[digit]
        percent = 100 * errors[digit] / total
        return f"{percent:.2f} % of the {digit}s ({errors[digit]:,} of {total:,})"

    first = sum(all(lead[run] > 0 for lead in leads.values()) for run in range(runs))
    told = (
        f"In {runs} run{'s' * (runs > 1)} by its own recipe `{group.architecture}` misreads "
        f"{' and '.join(map(share, digits))}; the rival that speaks most against it: "
        f"{share(rival)}. The {which} "
        f"errors are on {' and '.join(map(str, digits))} in {first} of {runs}."
    )
    verdict = "Holds" if low > 0 else "Does not hold" if high < 0 else "Cannot be judged"
    judged = (
        f"**{verdict}** with {runs} runs: {digit} leads {rival} by {mean(leads[pair]):+.2f} "
        f"points, 95 % interval {low:+.2f} to {high:+.2f}."
    )
    if runs < 2:
        judged = "**Cannot be judged**: one run judges nothing."
    once = [round(errors[each] / runs) for each in pair]
    chance = stats.binomtest(
        *(once[0], sum(once), images[digit] / (images[digit] + images[rival])),
        alternative="greater" if which == "most" else "less",
    ).pvalue
    return (
        f"{told} {judged} Other test digits may rank {digit} and {rival} otherwise: if both were "
        f"equally hard, one run's {once[0]} and {once[1]} errors would have p = {chance:.2f} "
        "(exact binomial test)."
    )


def _certainty(lead: Sequence[float]) -> float:
    """Return how many standard errors a mean lead is above zero."""
    error = stdev(lead) / len(lead) ** 0.5 if lead[1:] else 0.0
    if error:
        return mean(lead) / error
    return math.copysign(math.inf, mean(lead)) if mean(lead) else 0.0


def by_digit(groups: Iterable[Group]) -> results.Table:
    """A row for each network by its own recipe: percent misread of each digit."""
    rows: list[Sequence[str]] = []
    for group in _with_digits(groups):
        rates = _mean_rates(group)
        cells = [f"**{rate:.2f}**" if rate == max(rates) else f"{rate:.2f}" for rate in rates]
        title = f"`{group.architecture}`"
        title += f", {group.precision}" if group.precision != "32-true" else ""
        rows.append((title, str(len(group.records)), *cells))
    return ("network", "runs", *map(str, range(10))), rows


def ranked(groups: Iterable[Group]) -> str:
    """Count the rows of `by_digit` in which the digits of the claims come first or last."""
    orders = [
        sorted(range(10), key=_mean_rates(group).__getitem__) for group in _with_digits(groups)
    ]
    return (
        f"Of these {len(orders)} rows, 9 is the most misread in "
        f"{sum(order[-1] == 9 for order in orders)}, 9 and 6 are the two most misread in "
        f"{sum({*order[-2:]} == {9, 6} for order in orders)}, 0 and 1 the two least misread in "
        f"{sum({*order[:2]} == {0, 1} for order in orders)}."
    )


def _with_digits(groups: Iterable[Group]) -> list[Group]:
    """Choose the runs by a network's own recipe that tell which digits they misread."""
    return [group for group in groups if group.is_own and group.records[0].test_confusion]


def _mean_rates(group: Group) -> list[float]:
    """Percent misread of each digit, mean over the runs."""
    every = map(_rates, group.records)
    return [mean(rates) for rates in zip(*every, strict=True)]


def _own(groups: Iterable[Group], name: str) -> Group | None:
    """Choose, of a network's runs by its own recipe, those of the precision that has the most."""
    own = [each for each in groups if each.architecture == name and each.is_own]
    return max(own, key=lambda group: len(group.records), default=None)


def _is_own_on_all_digits(group: Group) -> bool:
    """Whether it trains by its own recipe, but holds nothing out and keeps the last weights."""
    changed = {word.partition("=")[0] for word in group.variant}
    config = group.records[0].config
    return (
        group.recipe == group.architecture
        and group.data == "mnist"
        and changed == {"recipe.validation", "recipe.keep"}
        and (config["recipe.validation"], config["recipe.keep"]) == (0, "last")
    )


def _accuracies(group: Group, split: str) -> list[float]:
    return [record.figures(split)["accuracy"] for record in group.records]


def _over_runs(values: Sequence[float]) -> str:
    found = interval(values)
    if found is None:
        return f"{values[0]:.2f} % (one run)"
    return f"{mean(values):.2f} % ({len(values)} runs, {found[0]:.2f} to {found[1]:.2f})"


def _errors(record: Record) -> list[int]:
    """Misread test images of each digit."""
    return [sum(row) - row[digit] for digit, row in enumerate(record.test_confusion or [])]


def _images(record: Record) -> list[int]:
    """Test images of each digit."""
    return [sum(row) for row in record.test_confusion or []]


def _rates(record: Record) -> list[float]:
    """Percent misread of each digit."""
    counted = zip(_errors(record), _images(record), strict=True)
    return [100 * errors / images for errors, images in counted]


def _right(each: Averaged, column: str) -> float:
    kind, strength = SHOWN[column]
    return each.accuracies[kind][strength]


def _failing(nets: Iterable[Averaged], column: str) -> int:
    return sum(_right(each, column) < READABLE for each in nets)


def _span(nets: Iterable[Averaged], column: str) -> str:
    values = [_right(each, column) for each in nets]
    return f"{min(values):.1f} to {max(values):.1f} %"
