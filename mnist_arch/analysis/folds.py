"""Which digits are hard, asked of all 70,000 images instead of 10,000.

Of a network trained ten times, each on nine folds of training and test images together, each image
is classified once by a network that never saw it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mnist_arch.analysis.claims import Verdict
from mnist_arch.analysis.statistics import CONFIDENCE, Difference, newcombe, wilson
from mnist_arch.data.splits import FOLDS
from mnist_arch.errors import UserError
from mnist_arch.runs.records import Record

KEY = "data.fold"


@dataclass(frozen=True)
class Folds:
    """The ten runs of a network by one recipe.

    Attributes:
        records: One for each fold, in their order.
    """

    records: Sequence[Record]

    @property
    def name(self) -> str:
        """The network's."""
        return self.records[0].architecture

    @property
    def images(self) -> list[int]:
        """How many images there are of each digit."""
        return [
            sum(sum(record.confusion[digit]) for record in self.records if record.confusion)
            for digit in range(10)
        ]

    @property
    def errors(self) -> list[int]:
        """How many of them were misclassified."""
        each = [record.errors_by_label for record in self.records]
        return [sum(errors) for errors in zip(*each, strict=True)]

    def share(self, digit: int) -> tuple[float, float, float]:
        """Return the share of a digit's images that were misclassified, and Wilson's interval."""
        errors, images = self.errors[digit], self.images[digit]
        return errors / images, *wilson(errors, images)

    def lead(self, digit: int, rival: int, *, most: bool) -> Difference:
        """Return by how much a digit leads a rival in the share misclassified.

        More of it is misclassified, or less where ``most`` is false, see `newcombe`.
        """
        errors, images = self.errors, self.images
        first, second = (digit, rival) if most else (rival, digit)
        return newcombe(errors[first], images[first], errors[second], images[second])

    def hardest_rival(self, digits: Sequence[int], *, most: bool) -> tuple[int, int]:
        """Return the pair of a digit and one that is none of them which speaks most against."""
        pairs = [(d, r) for d in digits for r in range(10) if r not in digits]
        return min(pairs, key=lambda pair: self.lead(*pair, most=most).value)

    def verdict(self, digits: Sequence[int], *, most: bool) -> Verdict:
        """Judge whether these digits are misclassified most, or least, of all.

        It holds where each surely leads each other digit. It does not where one is surely led by
        another, by a p value that counts as many times as there are pairs (Bonferroni).
        """
        pairs = [(d, r) for d in digits for r in range(10) if r not in digits]
        leads = [self.lead(*pair, most=most) for pair in pairs]
        level = 1 - CONFIDENCE
        if all(each.value > 0 and each.p < level for each in leads):
            return Verdict.HOLDS
        if any(each.value < 0 and each.p * len(leads) < level for each in leads):
            return Verdict.FAILS
        return Verdict.OPEN


def whole(records: Iterable[Record]) -> list[Folds]:
    """Gather the records of folds, and leave out networks of which one is missing.

    Raises:
        UserError: One is of no fold, or of a fold that another is of.
    """
    by_kind: dict[tuple[str, str], dict[int, Record]] = {}
    for record in records:
        fold = record.variant.get(KEY)
        if not isinstance(fold, int) or record.confusion is None:
            raise UserError(f"{record.provenance.command}: tests no fold; data.fold=0 to 9 does")
        folds = by_kind.setdefault((record.architecture, record.recipe), {})
        if fold in folds:
            raise UserError(f"{record.provenance.command}: fold {fold} is there twice")
        folds[fold] = record
    return [
        Folds([folds[fold] for fold in sorted(folds)])
        for folds in by_kind.values()
        if len(folds) == FOLDS
    ]
