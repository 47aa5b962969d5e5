"""Runs that differ in nothing but their seed, as one thing."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mnist_arch.errors import UserError
from mnist_arch.runs.identity import Variant, concerns, described
from mnist_arch.runs.records import Record


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only, in the order of their seeds."""

    records: list[Record]

    @property
    def first(self) -> Record:
        """One of them, for what all share."""
        return self.records[0]

    @property
    def architecture(self) -> str:
        """A name of `mnist_arch.architectures`."""
        return self.first.architecture

    @property
    def recipe(self) -> str:
        """A name in conf/recipe."""
        return self.first.recipe

    @property
    def precision(self) -> str:
        """Lightning's name for the arithmetic of training."""
        return self.first.precision

    @property
    def variant(self) -> Variant:
        """The settings in which the runs differ from their recipe."""
        return self.first.variant

    @property
    def tested(self) -> bool:
        """Whether they classified the test images; those that did not serve to choose."""
        return self.first.tested

    @property
    def is_own(self) -> bool:
        """Whether they train as the network's source did, on the source's data."""
        return self.recipe == self.architecture and self.first.data == "mnist" and not self.variant

    @property
    def changes_augmentation_only(self) -> bool:
        """Whether they differ from their recipe in augmentation and in nothing else."""
        return concerns(self.variant, "recipe.augmentation")

    @property
    def title(self) -> str:
        """The recipe, and what else is special."""
        parts = ["own" if self.recipe == self.architecture else self.recipe]
        parts += [f"on {self.first.data_title}"] if self.first.data != "mnist" else []
        parts += [self.precision] if self.precision != "32-true" else []
        labels = [record.label for record in self.records if record.label]
        return ", ".join([*parts, *(labels[:1] or described(self.variant))])

    def scores(self, split: str, metric: str) -> list[float]:
        """Return a metric of each run that has it."""
        values = [record.score(split, metric) for record in self.records]
        return [value for value in values if value is not None]


def kind(record: Record) -> str:
    """Return what runs share that differ in their seed only."""
    shared = (record.architecture, record.recipe, record.data, record.precision)
    return json.dumps([*shared, record.variant, record.tested], sort_keys=True)


def usual(groups: Iterable[Group]) -> list[Group]:
    """Leave out groups that have more runs in another precision: these are the variations."""
    groups = [*groups]
    most: dict[str, Group] = {}
    for group in groups:
        known = most.setdefault(_in_any_precision(group), group)  # of as many, 32-true comes first
        if len(group.records) > len(known.records):
            most[_in_any_precision(group)] = group
    return [group for group in groups if most[_in_any_precision(group)] is group]


def _in_any_precision(group: Group) -> str:
    return kind(replace(group.first, precision="32-true"))


def groups(records: Iterable[Record]) -> list[Group]:
    """Gather the runs that differ in their seed only.

    Networks come from the smallest to the largest, the own recipe of each first, and tested runs
    before those that were not.

    Raises:
        UserError: Two of them are the same run.
    """
    by_kind: dict[str, dict[int, Record]] = {}
    for record in records:
        seeds = by_kind.setdefault(kind(record), {})
        if record.seed in seeds:
            raise UserError(f"two records of the same run: {record.provenance.command}")
        seeds[record.seed] = record
    gathered = [Group([seeds[seed] for seed in sorted(seeds)]) for seeds in by_kind.values()]
    return sorted(
        gathered,
        key=lambda group: (
            *(group.first.parameters, group.architecture, group.recipe != group.architecture),
            *(group.recipe, group.first.data, group.precision),
            *(bool(group.variant), json.dumps(group.variant, sort_keys=True), not group.tested),
        ),
    )
