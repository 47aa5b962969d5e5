"""Which trained nets differ, and how surely: the comparison as plain data."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean
from string import ascii_uppercase

import numpy as np
import torch
from torch import Tensor

from mnist_arch.analysis.statistics import (
    CONFIDENCE,
    Array,
    Bin,
    Difference,
    calibration_error,
    holm,
    interval,
    mcnemar,
    over_seeds,
    paired_bootstrap,
    reliability,
    wilson,
)
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES
from mnist_arch.reports.results import groups
from mnist_arch.runs import predictions, records
from mnist_arch.runs.predictions import Predictions
from mnist_arch.runs.records import Record

FEWEST_PAIRS = 3  # of seeds, that the bootstrap keeps its promise with
NO_TEST = "none"
# What is done with a pair: the variation that it covers, and the whole of it.
TESTS = {
    "McNemar": (
        "digits",
        "exact conditional McNemar test with mid-p, one trained net of each on the same test "
        "digits; Bonett and Price's interval. It covers other digits of the same kind: nets "
        "trained from other seeds may come out otherwise.",
    ),
    "bootstrap": (
        "both",
        "paired bootstrap, studentised, of the seeds that both have (so many) and of the test "
        "digits. It covers other seeds and other digits of the same kind. Of three or four seeds, "
        "a p just below 0.05 is weak.",
    ),
    "t test": (
        "seeds",
        "Welch's t test of the accuracies of all seeds; of one run against several, Student's. It "
        "covers other seeds on these very digits. Three seeds in common, with predictions, would "
        "cover other digits too.",
    ),
    NO_TEST: (
        "",
        "one run each, and not both with predictions, or no two accuracies that differ: nothing "
        "to measure chance by.",
    ),
}


@dataclass(frozen=True)
class Run:
    """A finished run that was tested; predictions None where it left none."""

    record: Record
    predictions: Predictions | None

    @property
    def errors(self) -> int:
        """Test images misread."""
        return self.record.test_errors or 0

    @property
    def accuracy(self) -> float:
        """Percent of the test images read right."""
        return self.record.accuracy("test") or 0.0

    @property
    def over_digits(self) -> tuple[float, float]:
        """Wilson's interval of the accuracy, percent."""
        low, high = wilson(self.errors, self.record.test_images or 0)
        return 100 * (1 - high), 100 * (1 - low)

    @property
    def bins(self) -> list[Bin]:
        """How sure it was and how often right; empty without predictions."""
        return _reliability([self])


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
    def accuracy(self) -> float:
        """Mean percentage of the test images that its runs read right."""
        return mean(run.accuracy for run in self.runs)

    @property
    def accuracies(self) -> list[float]:
        """Of each run, percent."""
        return [run.accuracy for run in self.runs]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, percent: over seeds, of a single run over digits."""
        return interval(self.accuracies) or self.runs[0].over_digits

    @property
    def errors_by_digit(self) -> list[float]:
        """Test images of each true digit misread, mean over runs."""
        counts = [run.record.test_errors_by_digit or [] for run in self.runs]
        return [mean(each) for each in zip(*counts, strict=True)]

    @property
    def with_predictions(self) -> dict[int, Run]:
        """Its runs that left predictions, by seed."""
        return {run.record.seed: run for run in self.runs if run.predictions}

    def reading(self, place: int) -> int:
        """Return the digit that most of its runs read in a test image; of equals, the least."""
        read = [int(_found(run).readings[place]) for run in self.with_predictions.values()]
        return min(read, key=lambda digit: (-read.count(digit), digit))

    @property
    def bins(self) -> list[Bin]:
        """How sure its runs were and how often right, all together; empty without predictions."""
        return _reliability(list(self.with_predictions.values()))

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error, mean over runs; None without predictions."""
        return (
            mean(calibration_error(run.bins) for run in self.with_predictions.values())
            if self.with_predictions
            else None
        )


@dataclass(frozen=True)
class Pair:
    """Two nets, and what their difference is worth.

    Attributes:
        first: One net.
        second: The other.
        test: A key of TESTS.
        difference: Accuracy of the first minus that of the second, percentage points; None where
            nothing could be tested.
        adjusted: Its p value by Holm's correction over all pairs.
        seeds: Those that the bootstrap paired.
        only_first: Test images that every run of the first misread and none of the second's;
            None without predictions.
        only_second: The reverse.
    """

    first: Net
    second: Net
    test: str
    difference: Difference | None
    adjusted: float | None
    seeds: Sequence[int]
    only_first: Array | None
    only_second: Array | None

    @property
    def alone(self) -> list[Array]:
        """The test images that only the first misreads, and only the second; or nothing."""
        return [each for each in (self.only_first, self.only_second) if each is not None]

    @property
    def better(self) -> Net | None:
        """The net that reads more digits right; None where they are not distinguishable."""
        if self.difference is None or self.adjusted is None or self.adjusted >= 1 - CONFIDENCE:
            return None
        return self.first if self.difference.value > 0 else self.second

    @property
    def verdict(self) -> str:
        """Which is better, in two words."""
        if self.difference is None:
            return "not tested"
        return f"{self.better.letter} better" if self.better else "not distinguishable"


@dataclass(frozen=True)
class Comparison:
    """Nets, compared pair by pair on the same test digits.

    Attributes:
        nets: In the order that they were asked for.
        pairs: Every two of them.
    """

    nets: Sequence[Net]
    pairs: Sequence[Pair]

    @property
    def record(self) -> Record:
        """One of the records, for what is the same in all."""
        return self.nets[0].runs[0].record

    @property
    def truth(self) -> Array | None:
        """(N,) true digits; None where no run left predictions."""
        return next(
            (
                _found(run).labels.numpy()
                for net in self.nets
                for run in net.with_predictions.values()
            ),
            None,
        )


def compare(paths: Sequence[Path]) -> Comparison:
    """Compare runs, named by their folders or record files.

    Runs that differ only in their seed are one net; if all do, each is compared with each.

    Raises:
        UserError: There are fewer than two runs or more than 26 nets, a run is given twice or was
            not tested or was tested on other digits, or a file is not readable.
    """
    files = [path / "record.json" if path.is_dir() else path for path in paths]
    runs = list(_runs({file.resolve(): file for file in files}.values()))
    by_record = {id(run.record): place for place, run in enumerate(runs)}
    found = [
        (
            f"{group.architecture}, {group.title}",
            [by_record[id(record)] for record in group.records],
        )
        for group in groups([run.record for run in runs])
    ]
    if len(found) == 1:
        name, places = found[0]
        found = [(f"{name}, seed {runs[place].record.seed}", [place]) for place in places]
    if not 2 <= len(found) <= len(ascii_uppercase):
        raise UserError(f"{len(found)} to compare; name 2 to {len(ascii_uppercase)}")
    found.sort(key=lambda each: min(each[1]))
    nets = [
        Net(letter, _printable(name), [runs[place] for place in places])
        for letter, (name, places) in zip(ascii_uppercase, found, strict=False)
    ]
    tested = [(first, second, *_test(first, second)) for first, second in combinations(nets, 2)]
    adjusted = iter(holm([difference.p for *_, difference, _ in tested if difference]))
    pairs = [
        Pair(
            first,
            second,
            test,
            difference,
            next(adjusted) if difference else None,
            seeds,
            _only(first, second),
            _only(second, first),
        )
        for first, second, test, difference, seeds in tested
    ]
    return Comparison(nets, pairs)


def _runs(files: Iterable[Path]) -> Iterator[Run]:
    """Read runs of the same test digits, by their record files."""
    first: tuple[Path, Record] | None = None
    digits: Tensor | None = None
    for file in files:
        record = records.read(file)
        if record.architecture not in ARCHITECTURES:
            near = suggestion(str(record.architecture), ARCHITECTURES)
            raise UserError(f"{file}: no network {record.architecture!r}; {near}")
        if None in (record.test_images, record.test_errors, record.test_errors_by_digit):
            raise UserError(f"{file}: not tested (test=false); compare tested runs")
        beside = file.name == "record.json" and (file.parent / "predictions.npz").exists()
        found = predictions.read(file.parent, record) if beside else None
        first = first or (file, record)
        same = record.data_sha256 == first[1].data_sha256
        if found:
            digits = found.labels if digits is None else digits
            same = same and torch.equal(found.labels, digits)
        if not same:
            raise UserError(f"{file}: not tested on the digits of {first[0]}")
        yield Run(record, found)


def _test(first: Net, second: Net) -> tuple[str, Difference | None, Sequence[int]]:
    """Choose the test that covers most, and take the difference of accuracies in points."""
    seeds = sorted(first.with_predictions.keys() & second.with_predictions.keys())
    if len(seeds) >= FEWEST_PAIRS:
        # Shares misread, so that the difference of accuracies is the second's minus the first's.
        one, other = (
            np.stack([_wrong(net.with_predictions[seed]) for seed in seeds])
            for net in (first, second)
        )
        return "bootstrap", _points(paired_bootstrap(other, one)), seeds
    if len(first.runs) == len(second.runs) == 1:
        if not (first.with_predictions and second.with_predictions):
            return NO_TEST, None, []
        one, other = _wrong(first.runs[0]), _wrong(second.runs[0])
        only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
        return "McNemar", _points(mcnemar(only_other, only_one, len(one))), []
    difference = over_seeds(first.accuracies, second.accuracies)
    return ("t test" if difference else NO_TEST), difference, []


def _points(shares: Difference) -> Difference:
    """Turn a difference of shares into percentage points."""
    return Difference(100 * shares.value, 100 * shares.low, 100 * shares.high, shares.p)


def _only(one: Net, other: Net) -> Array | None:
    """Places of the images that all of one net's runs misread, and none of the other's."""
    if not (one.with_predictions and other.with_predictions):
        return None
    misread, misread_too = (
        np.stack([_wrong(run) for run in net.with_predictions.values()]) for net in (one, other)
    )
    return np.flatnonzero(misread.all(0) & ~misread_too.any(0))


def _found(run: Run) -> Predictions:
    assert run.predictions is not None
    return run.predictions


def _wrong(run: Run) -> Array:
    found = _found(run)
    return (found.readings != found.labels).numpy()


def _reliability(runs: Sequence[Run]) -> list[Bin]:
    if not runs:
        return []
    chosen = [_found(run).probabilities.gather(1, _found(run).readings[:, None]) for run in runs]
    right = np.concatenate([~_wrong(run) for run in runs])
    sure = torch.cat(chosen)[:, 0].nan_to_num()  # a net that diverged reports no probabilities
    return reliability(sure.numpy(), right)


def _printable(name: str) -> str:
    """Show no control characters: names come from files that anybody may have written."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
