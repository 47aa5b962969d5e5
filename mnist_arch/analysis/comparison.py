"""Which trained networks differ, and how surely, as plain data."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from statistics import mean
from string import ascii_uppercase

import numpy as np
import torch
from torch import Tensor

from mnist_arch.analysis.groups import groups
from mnist_arch.analysis.statistics import (
    CONFIDENCE,
    Array,
    Difference,
    crossed,
    holm,
    interval,
    mcnemar,
    over_seeds,
    paired_bootstrap,
    wilson,
)
from mnist_arch.errors import UserError, printable
from mnist_arch.runs import predictions, records
from mnist_arch.runs.calibration import Bin, calibration_error, reliability
from mnist_arch.runs.predictions import Predictions
from mnist_arch.runs.records import Record

FEWEST_SEEDS = 3  # in common: with fewer the bootstrap does not hold its level
FEWEST_TOGETHER = 4  # of both: with fewer their spread is not known


class Method(StrEnum):
    """How a pair was tested."""

    MCNEMAR = "McNemar"
    BOOTSTRAP = "bootstrap"
    CROSSED = "crossed"
    T = "t test"
    NONE = "none"

    @property
    def covers(self) -> str | None:
        """What might have been drawn otherwise: other seeds, other images of the kind, or both."""
        over = {"McNemar": "images", "bootstrap": "both", "crossed": "both", "t test": "seeds"}
        return over.get(self)


class Verdict(StrEnum):
    """What a test says of a pair, at 95 % confidence by its corrected p value."""

    DIFFERENT = "different"
    ALIKE = "not distinguishable"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class Run:
    """A finished run that was tested; predictions None where it left none."""

    record: Record
    predictions: Predictions | None

    @property
    def accuracy(self) -> float:
        """Percent of the test images."""
        return self.record.scores["test"]["accuracy"]

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the accuracy over other images, percent."""
        errors = int(self.record.scores["test"]["errors"])
        low, high = wilson(errors, self.record.images["test"])
        return 100 * (1 - high), 100 * (1 - low)

    @property
    def wrong(self) -> Array | None:
        """(N,) whether each test image is misclassified; None where nothing tells."""
        if self.predictions is None:
            return self.record.misclassified_images
        return (self.predictions.predicted != self.predictions.labels).numpy()

    @property
    def confidence(self) -> Array:
        """(N,) the greatest of ten probabilities scaled to sum to 1; 0 if the network diverged."""
        assert self.predictions is not None
        sums = self.predictions.probabilities.sum(1).clamp_min(torch.finfo(torch.double).tiny)
        return (self.predictions.probabilities.amax(1) / sums).nan_to_num().numpy()

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error; None without predictions."""
        return calibration_error(_reliability([self])) if self.predictions else None


@dataclass(frozen=True)
class Net:
    """One thing compared: a run, or several that differ only in their seed.

    Attributes:
        letter: Its short name.
        name: Network and recipe, and what else is special.
        runs: In the order of their seeds.
    """

    letter: str
    name: str
    runs: Sequence[Run]

    @property
    def seeds(self) -> list[int]:
        """Of its runs, ascending."""
        return [run.record.seed for run in self.runs]

    @property
    def accuracies(self) -> list[float]:
        """Of each run, percent."""
        return [run.accuracy for run in self.runs]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, percent: over seeds, of a single run over images."""
        return interval(self.accuracies) or self.runs[0].interval

    @property
    def errors_by_label(self) -> list[float]:
        """Misclassified test images of each true class, mean over runs."""
        counts = (run.record.errors_by_label for run in self.runs)
        return [mean(each) for each in zip(*counts, strict=True)]

    @property
    def with_predictions(self) -> dict[int, Run]:
        """Its runs that left predictions, by seed."""
        return {run.record.seed: run for run in self.runs if run.predictions}

    @property
    def wrong(self) -> dict[int, Array]:
        """Which test images each run misclassifies, by its seed, where that is known."""
        known = {run.record.seed: run.wrong for run in self.runs}
        return {seed: wrong for seed, wrong in known.items() if wrong is not None}

    @property
    def incomplete(self) -> bool:
        """Whether a run left no predictions."""
        return len(self.with_predictions) < len(self.runs)

    @property
    def bins(self) -> list[Bin]:
        """How sure its runs were and how often right, all together; empty without predictions."""
        runs = list(self.with_predictions.values())
        return _reliability(runs) if runs else []

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error, mean over runs; None without predictions."""
        errors = [run.calibration_error or 0.0 for run in self.with_predictions.values()]
        return mean(errors) if errors else None

    def predicted(self, place: int) -> int:
        """Return the class that most of its runs predict for a test image; of ties, the least."""
        runs = (run.predictions for run in self.runs)
        votes = [int(predictions.predicted[place]) for predictions in runs if predictions]
        return min(votes, key=lambda label: (-votes.count(label), label))


@dataclass(frozen=True)
class Pair:
    """Two networks, and what their difference is worth.

    Attributes:
        first: One network.
        second: The other.
        method: How they were tested.
        difference: Accuracy of the first minus that of the second, percentage points; None where
            nothing could be tested.
        seeds: Those that the bootstrap paired.
        alone: Places of the test images that every run of the first misclassifies and no run of
            the second, and the reverse; empty without predictions.
        adjusted: The p value by Holm's correction over all pairs.
    """

    first: Net
    second: Net
    method: Method
    difference: Difference | None
    seeds: Sequence[int]
    alone: Sequence[Array]
    adjusted: float | None = None

    @property
    def name(self) -> str:
        """The letters of its networks."""
        return f"{self.first.letter}-{self.second.letter}"

    @property
    def better(self) -> Net | None:
        """The more accurate network; None where they are not distinguishable."""
        if self.difference is None or self.adjusted is None or self.adjusted >= 1 - CONFIDENCE:
            return None
        return self.first if self.difference.value > 0 else self.second

    @property
    def verdict(self) -> Verdict:
        """What the test says."""
        if self.difference is None:
            return Verdict.UNTESTED
        return Verdict.DIFFERENT if self.better else Verdict.ALIKE

    @property
    def unpaired(self) -> dict[str, list[int]]:
        """By letter, the seeds for which the bootstrap had no partner."""
        seeds = {net.letter: sorted({*net.seeds} - {*self.seeds}) for net in self.nets}
        return {name: some for name, some in seeds.items() if some and self.seeds}

    @property
    def nets(self) -> tuple[Net, Net]:
        """Both."""
        return self.first, self.second


@dataclass(frozen=True)
class Comparison:
    """Networks, compared pair by pair on the same test images.

    Attributes:
        nets: In the order in which they were given.
        pairs: Every two of them.
    """

    nets: Sequence[Net]
    pairs: Sequence[Pair]

    @property
    def record(self) -> Record:
        """One of the records, for what is the same in all."""
        return self.nets[0].runs[0].record

    @property
    def labels(self) -> Array | None:
        """(N,) true classes; None where no run left predictions."""
        left = (run.predictions for net in self.nets for run in net.with_predictions.values())
        return next((each.labels.numpy() for each in left if each), None)


def compare(paths: Sequence[Path]) -> Comparison:
    """Compare runs, given by their folders or record files.

    Runs that differ only in their seed are one network; if all do, each is compared with each.

    Raises:
        UserError: There are fewer than two runs or more than 26 networks, a run is given twice or
            was not tested or was tested on other images, or a file is not readable.
    """
    files = [path / "record.json" if path.is_dir() else path for path in paths]
    runs = list(_runs({os.path.realpath(file): file for file in files}.values()))
    order = {id(run.record): place for place, run in enumerate(runs)}
    kinds = [
        (f"{group.architecture}, {group.title}", [order[id(each)] for each in group.records])
        for group in groups(run.record for run in runs)
    ]
    if len(kinds) == 1:
        ((name, places),) = kinds
        kinds = [(f"{name}, seed {runs[place].record.seed}", [place]) for place in places]
    if not 2 <= len(kinds) <= len(ascii_uppercase):
        raise UserError(f"{len(kinds)} to compare; name 2 to {len(ascii_uppercase)}")
    kinds.sort(key=lambda kind: min(kind[1]))
    nets = [
        Net(letter, printable(name), [runs[place] for place in places])
        for letter, (name, places) in zip(ascii_uppercase, kinds, strict=False)
    ]
    pairs = [_pair(first, second) for first, second in combinations(nets, 2)]
    adjusted = iter(holm([pair.difference.p for pair in pairs if pair.difference]))
    pairs = [replace(pair, adjusted=next(adjusted)) if pair.difference else pair for pair in pairs]
    return Comparison(nets, pairs)


def _runs(files: Iterable[Path]) -> Iterator[Run]:
    """Read runs of the same test images, from their record files."""
    first: tuple[Path, Record] | None = None
    labels: Tensor | None = None
    for file in files:
        record = records.read(file)
        if not record.tested or record.confusion is None:
            raise UserError(f"{file}: not tested (test=false); compare tested runs")
        beside = file.name == "record.json" and (file.parent / "predictions.npz").exists()
        saved = predictions.read(file.parent, record) if beside else None
        first = first or (file, record)
        same = record.provenance.data_sha256 == first[1].provenance.data_sha256
        if saved:
            labels = saved.labels if labels is None else labels
            same = same and torch.equal(saved.labels, labels)
        if not same:
            raise UserError(f"{file}: not tested on the images of {first[0]}")
        yield Run(record, saved)


def _pair(first: Net, second: Net) -> Pair:
    """Compare two networks by the test that covers most."""
    both = first.with_predictions and second.with_predictions
    alone = [_only(first, second), _only(second, first)] if both else []
    wrong, wrong_too = first.wrong, second.wrong
    seeds = sorted(wrong.keys() & wrong_too.keys())
    # Shares of errors: the difference of accuracies is the second's minus the first's.
    if len(seeds) >= FEWEST_SEEDS:
        one, other = (np.stack([each[seed] for seed in seeds]) for each in (wrong, wrong_too))
        difference = _points(paired_bootstrap(other, one))
        return Pair(first, second, Method.BOOTSTRAP, difference, seeds, alone)
    all_known = len(wrong) == len(first.runs) and len(wrong_too) == len(second.runs)
    if all_known and len(wrong) + len(wrong_too) >= FEWEST_TOGETHER:
        one, other = (np.stack([*each.values()]) for each in (wrong, wrong_too))
        return Pair(first, second, Method.CROSSED, _points(crossed(other, one)), [], alone)
    if len(first.runs) == len(second.runs) == 1:
        if not all_known:
            return Pair(first, second, Method.NONE, None, [], alone)
        one, other = (*wrong.values(), *wrong_too.values())
        only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
        difference = _points(mcnemar(only_second, only_first, first.runs[0].record.images["test"]))
        return Pair(first, second, Method.MCNEMAR, difference, [], alone)
    change = over_seeds(first.accuracies, second.accuracies)
    return Pair(first, second, Method.T if change else Method.NONE, change, [], alone)


def _points(shares: Difference) -> Difference:
    """Turn a difference of shares into percentage points."""
    return Difference(100 * shares.value, 100 * shares.low, 100 * shares.high, shares.p)


def _only(one: Net, other: Net) -> Array:
    """Places of the images that all runs of one misclassify, and none of the other."""
    wrong, wrong_too = (
        np.stack([net.wrong[seed] for seed in net.with_predictions]) for net in (one, other)
    )
    return np.flatnonzero(wrong.all(0) & ~wrong_too.any(0))


def _reliability(runs: Sequence[Run]) -> list[Bin]:
    confidence = np.concatenate([run.confidence for run in runs])
    wrong = [run.wrong for run in runs if run.wrong is not None]
    return reliability(confidence, ~np.concatenate(wrong))
