"""What is published about the networks: the sources and numbers of mnist_arch/claims.yaml."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from decimal import Decimal
from functools import cache
from io import StringIO
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from mnist_arch import files
from mnist_arch.errors import UserError, suggestion
from mnist_arch.models import ARCHITECTURES
from mnist_arch.runs.records import SPLITS

FILE = Path(__file__).parents[1] / "claims.yaml"
LARGEST = 1_000_000  # bytes: seventy times what that file has
METRICS = ("accuracy", "errors", "loss", "parameters")
# Whose the recipe is by which we train what a trial tells of, in words for tables.
RECIPES = {
    "source": "the source's",
    "completed": "the source's, completed",
    "ours": "ours",
}
KINDS = {str: "text in quotes", int: "a whole number", float: "a number", Mapping: "a mapping"}
# 92.41 %, 0.95 % error, 0.9241, 64 errors, 453,908
PRINTED = re.compile(r"(?P<figure>\d[\d,]*(\.\d+)?) ?(?P<percent>%)?(?P<error> errors?)?")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number as a source prints it.

    Attributes:
        metric: ``accuracy`` (percent), ``errors`` (images), ``loss`` (mean) or ``parameters``.
        value: In the metric's unit.
        printed: As in the source: an accuracy in percent, as a fraction, or as an error rate.
        split: ``train``, ``validation`` or ``test``; None for parameters.
        epoch: Of the source's training, from 1; None where the source does not say.
    """

    metric: str
    value: float
    printed: str
    split: str | None = None
    epoch: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no source can have printed.

        Raises:
            UserError: A word is unknown, or the value is not the printed one.
        """
        if self.metric not in METRICS:
            raise UserError(f"no metric {self.metric!r}; {suggestion(self.metric, METRICS)}")
        if self.metric == "parameters" and self.split is not None:
            raise UserError(f"split {self.split!r}: parameters have none")
        if self.metric != "parameters" and self.split not in SPLITS:
            wrong = "split is missing" if self.split is None else f"no split {self.split!r}"
            raise UserError(f"{wrong}; {suggestion(self.split or '', SPLITS)}")
        if self.epoch is not None and self.epoch < 1:
            raise UserError(f"epoch {self.epoch}: must be 1 or more")
        if not math.isfinite(self.value):
            raise UserError(f"value {self.value}: must be a finite number")
        if self.metric == "accuracy" and self.value > 100:
            raise UserError(f"value {self.value}: accuracy is in percent, at most 100")
        if (printed := self._printed()) != Decimal(str(self.value)):
            raise UserError(f"value {self.value}: printed {self.printed!r} means {printed:f}")

    def _printed(self) -> Decimal:
        """Return the printed number in the metric's unit, with the printed digits."""
        match = PRINTED.fullmatch(self.printed)
        if not match or (match["percent"] and self.metric != "accuracy"):
            raise UserError(f"printed {self.printed!r}: cannot be understood as {self.metric}")
        figure = Decimal(match["figure"].replace(",", ""))
        if self.metric != "accuracy":
            return figure
        percent = figure if match["percent"] else figure.scaleb(2)
        return 100 - percent if match["error"] else percent

    @property
    def decimals(self) -> int:
        """Printed decimals, counted in the metric's unit: 0.9241 is 92.41 %, which has two."""
        return max(0, -int(self._printed().as_tuple().exponent))

    @property
    def rounding(self) -> float:
        """Half of the last printed digit: how far the unrounded value may lie from this."""
        return 0.5 * 10**-self.decimals


@dataclass(frozen=True, kw_only=True)
class Claim(Number):
    """A number with all that is known of how it came about.

    Attributes:
        source: The source's key.
        network: A name in `ARCHITECTURES`.
        images: How many the number was computed on; None where the source does not say.
        data: What is known of the digits and how they were split.
        condition: How the trial differs from the source's main one; None for the main one.
        trained: On how many images the network had learned; None where the source does not say.
        label: That of our runs that answer it; "" for runs by the network's own recipe as it is.
        recipe: Whose our recipe is, a key of `RECIPES`.
    """

    source: str
    network: str
    images: int | None
    data: str
    condition: str | None
    trained: int | None = None
    label: str = ""
    recipe: str = "source"


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Digits of a split, counted by their true digit (rows) and the predicted one (columns)."""

    split: str
    rows: tuple[tuple[int, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse what counts no digits.

        Raises:
            UserError: The split is unknown, or the counts are not ten rows of ten.
        """
        if self.split not in SPLITS:
            raise UserError(f"no split {self.split!r}; {suggestion(self.split, SPLITS)}")
        if [len(row) for row in self.rows] != [10] * 10 or min(map(min, self.rows)) < 0:
            raise UserError("rows: must be ten rows of ten counts")

    @property
    def images(self) -> int:
        """All that were counted."""
        return sum(map(sum, self.rows))

    @property
    def correct(self) -> int:
        """Those on the diagonal."""
        return sum(row[digit] for digit, row in enumerate(self.rows))


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One network, trained in one way, as a source tells of it.

    Attributes:
        network: A name in `ARCHITECTURES`.
        condition: How it differs from the source's main trial; None for the main one.
        data: What is known of the digits and how they were split.
        images: How many the numbers of each split were computed on, where that is known.
        label: That of our runs that answer it, given by an experiment file; "" for runs by the
            network's own recipe as it is.
        recipe: Whose our recipe is, a key of `RECIPES`.
        note: What else a reader should know.
        numbers: What the source prints.
        confusion: Its confusion matrix, if it prints one.
        statements: What it claims in words (ours), by a short name.
        open: What it does not say.
    """

    network: str
    condition: str | None = None
    data: str = ""
    images: Mapping[str, int] = field(default_factory=dict)
    label: str = ""
    recipe: str = "source"
    note: str = ""
    numbers: tuple[Number, ...] = ()
    confusion: Confusion | None = None
    statements: Mapping[str, str] = field(default_factory=dict)
    open: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is unknown or contradicts itself.

        Raises:
            UserError: The network or a split is unknown, a number is given twice, or the
                confusion matrix contradicts the images or the accuracy.
        """
        if self.network not in ARCHITECTURES:
            raise UserError(
                f"no network {self.network!r}; {suggestion(self.network, ARCHITECTURES)}"
            )
        if self.recipe not in RECIPES:
            raise UserError(f"no recipe {self.recipe!r}; {suggestion(self.recipe, RECIPES)}")
        for split, images in self.images.items():
            if split not in SPLITS:
                raise UserError(f"images: no split {split!r}; {suggestion(split, SPLITS)}")
            if images < 1:
                raise UserError(f"images: {split} {images}: must be 1 or more")
        kinds = [(number.metric, number.split, number.epoch) for number in self.numbers]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise UserError(f"numbers: {_named(*kind)} is given twice")
        if self.confusion:
            self._compare(self.confusion)

    def _compare(self, counts: Confusion) -> None:
        if counts.images != self.images.get(counts.split, counts.images):
            raise UserError(
                f"confusion: counts {counts.images} images, but {counts.split} has "
                f"{self.images[counts.split]}"
            )
        percent = 100 * counts.correct / counts.images
        for number in self.numbers:
            is_theirs = (number.metric, number.split) == ("accuracy", counts.split)
            if is_theirs and abs(percent - number.value) > number.rounding:
                raise UserError(
                    f"confusion: {counts.correct} of {counts.images} are correct, "
                    f"{percent:.2f} %, but the accuracy is {number.printed!r}"
                )


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where something is published.

    Attributes:
        key: A short name for tables, and the anchor of its section in docs/sources.md.
        title: The source's own.
        published: What it is: the journal, or a README, notebook or program.
        author: None where not public.
        year: Of publication; None where not known.
        address: Where to look it up; None where not known.
        commit: Of the repository, as read.
        date: Of that commit.
        license: None where it was not looked up.
        note: What is not known of the source itself, or weakens it.
        bibtex: An entry for a bibliography.
        trials: What it tells.
    """

    key: str
    title: str
    published: str
    author: str | None = None
    year: int | None = None
    address: str | None = None
    commit: str | None = None
    date: str | None = None
    license: str | None = None
    note: str = ""
    bibtex: str = ""
    trials: tuple[Trial, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a trial that is given twice.

        Raises:
            UserError: Two trials have the same network and condition.
        """
        names = [(trial.network, trial.condition) for trial in self.trials]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"trials: {name[0]}, condition {name[1]}: is given twice")

    @property
    def claims(self) -> Iterator[Claim]:
        """Every number of every trial, in the order of the file."""
        for trial in self.trials:
            for number in trial.numbers:
                yield Claim(
                    **vars(number),
                    source=self.key,
                    network=trial.network,
                    images=trial.images.get(number.split or ""),
                    data=trial.data,
                    condition=trial.condition,
                    trained=trial.images.get("train"),
                    label=trial.label,
                    recipe=trial.recipe,
                )


@dataclass(frozen=True)
class Published:
    """All that is published, by the keys of its sources."""

    sources: Mapping[str, Source]

    @property
    def claims(self) -> Iterator[Claim]:
        """Every number, in the order of the file."""
        for source in self.sources.values():
            yield from source.claims

    def claims_of(self, network: str) -> tuple[Claim, ...]:
        """Return every number of a network; none for a network without a source."""
        return tuple(claim for claim in self.claims if claim.network == network)

    def trials_of(self, network: str) -> tuple[tuple[Source, Trial], ...]:
        """Return each trial of a network beside its source."""
        return tuple(
            (source, trial)
            for source in self.sources.values()
            for trial in source.trials
            if trial.network == network
        )

    def headline(self, network: str) -> Claim | None:
        """Return the test accuracy of the main trial, or else its validation accuracy."""
        main = [each for each in self.claims_of(network) if each.condition is None]
        for split in ("test", "validation"):
            for claim in main:
                if (claim.metric, claim.split) == ("accuracy", split):
                    return claim
        return None


@cache
def published(path: Path = FILE) -> Published:
    """Read and check a file of claims.

    Raises:
        UserError: The file cannot be read, or an entry is wrong; the line names file and entry.
    """
    try:
        entries = OmegaConf.to_container(OmegaConf.load(StringIO(files.yaml_text(path, LARGEST))))
    except MarkedYAMLError as error:  # a key that stands twice is one, too
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}:{line}: {error.problem}") from None
    # OmegaConf asserts that what it loads is a mapping or a list.
    except (
        OSError,
        UnicodeDecodeError,
        YAMLError,
        OmegaConfBaseException,
        AssertionError,
        RecursionError,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: not a readable file of claims: {reason}") from None
    sources = {}
    for key, entry in _typed(entries, Mapping[str, Any], f"{path}").items():
        keyed = {"key": key, **entry} if isinstance(entry, dict) else entry
        sources[key] = _typed(keyed, Source, f"{path}: {key}")
    return Published(MappingProxyType(sources))


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Convert what YAML holds to a type: tuples of its lists, dataclasses of its mappings.

    Raises:
        UserError: The value does not fit the type; the line begins with ``where``.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:  # T | None
        return None if value is None else _typed(value, arguments[0], where)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _typed(each, arguments[0], f"{where}[{place}]") for place, each in enumerate(value)
        )
    if origin is Mapping and isinstance(value, dict):
        items = {key: _typed(each, arguments[1], f"{where}.{key}") for key, each in value.items()}
        return MappingProxyType(items)
    if is_dataclass(hint) and isinstance(value, dict):
        make: Any = hint
        hints = get_type_hints(hint)
        if unknown := [key for key in value if key not in hints]:
            raise UserError(
                f"{where}: no key {unknown[0]!r}; {suggestion(str(unknown[0]), hints)}"
            )
        for each in fields(hint):
            if each.name not in value and MISSING is each.default is each.default_factory:
                raise UserError(f"{where}: {each.name} is missing")
        items = {key: _typed(each, hints[key], f"{where}.{key}") for key, each in value.items()}
        try:
            return make(**items)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    if hint is Any or type(value) is hint or (hint is float and type(value) is int):
        return value
    kind = KINDS.get(origin or hint, "a list" if origin is tuple else "a mapping")
    raise UserError(f"{where}: {value!r:.100} is not {kind}")


def _named(metric: str, split: str | None, epoch: int | None) -> str:
    """Name a number: ``train accuracy of epoch 2``."""
    return " ".join(filter(None, (split, metric, f"of epoch {epoch}" if epoch else "")))
