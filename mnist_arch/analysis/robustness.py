"""What trained networks misclassify of corrupted test images, the same images for all of them."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from tqdm import tqdm

from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.data import sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES, blank
from mnist_arch.randomness import generator
from mnist_arch.runs import checkpoint, records
from mnist_arch.runs.identity import Variant, described
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.records import Record
from mnist_arch.runs.scoring import score
from mnist_arch.runs.shipped import known_as

VERSION = 2
SEED = 0  # draws the corruptions
RUN = ("architecture", "recipe", "seed", "variant", "label", "precision")  # copied from its record


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """The record of a run's errors on corrupted test images.

    Attributes:
        version: Of this format.
        data: A name in conf/data.
        run: The run's ``command``, ``commit`` and ``test_errors``, the fields RUN of its record,
            and the name of its ``augmentation``, None without one.
        test_images: Images of each test.
        errors: For each name in CORRUPTIONS the strengths, weakest first, each with the number of
            test images that the run misclassifies; at the neutral strength its own test errors.
        provenance: What made it: a command that repeats it from the same run, and the code that
            corrupted the images; of a test that was interrupted, that of its last part.
    """

    version: int = VERSION
    data: str
    run: dict[str, Any]
    test_images: int
    errors: dict[str, list[list[float]]]
    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write it atomically as JSON."""
        records.write_values(path, asdict(self))

    @property
    def accuracies(self) -> dict[str, dict[float, float]]:
        """The percentage classified correctly, by corruption and strength."""
        images = self.test_images
        return {
            name: {strength: 100 * (images - errors) / images for strength, errors in pairs}
            for name, pairs in self.errors.items()
        }


def read_all(folder: Path) -> list[Robustness]:
    """Read every such record in a folder, in the order of their names.

    Raises:
        UserError: One of them is not readable.
    """
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Robustness:
    return records.read_as(Robustness, path, _contradiction)


def _contradiction(record: Robustness) -> str | None:
    """Say what in a record cannot be; None if all can."""
    run = record.run
    if not {*RUN, "command", "commit", "test_errors", "augmentation"} <= run.keys():
        return "its run is not described"
    words = [run[key] for key in ("architecture", "recipe", "label", "precision")]
    words += [run["augmentation"] or ""]
    if not all(isinstance(word, str) for word in words) or not isinstance(run["variant"], dict):
        return "its run is not described"
    if run["architecture"] not in ARCHITECTURES:
        return f"no network {run['architecture']!r}"
    pairs = [pair for counts in record.errors.values() for pair in counts]
    images = record.test_images
    if images < 1 or any(len(pair) != 2 or not 0 <= pair[1] <= images for pair in pairs):
        return f"its errors are not of {images:,} test images"
    return None


def measure(folders: Sequence[Path], out: Path, root: Path, *, again: bool = False) -> list[Path]:
    """Test finished runs on every corruption, and return the paths of their records.

    The records are named after the runs' folders. They are written after each corruption, and
    what they hold is not measured again.

    Args:
        folders: Of the runs.
        out: Folder of the records; it is made when it is not there.
        root: Where the data is, see `sources.load`.
        again: Forget what earlier records hold.

    Raises:
        UserError: A run is not finished or was not tested, they were not tested on one and the
            same data, it is not the data that is there, or a record is of another run.
    """
    runs = [records.read(folder) for folder in folders]
    paths = [out / f"{folder.resolve().name}.json" for folder in folders]
    if len(set(paths)) < len(paths):
        raise UserError("each run needs a name of its own; rename a folder")
    sha256 = runs[0].provenance.data_sha256
    for folder, run in zip(folders, runs, strict=True):
        if not run.tested:
            raise UserError(f"{folder}: left the test images unread (test=false)")
        if run.provenance.data_sha256 != sha256:
            raise UserError(f"{folder}: not tested on the images of {folders[0]}")
    begun = zip(folders, runs, paths, strict=True)
    results = [_begin(folder, run, path, again=again) for folder, run, path in begun]
    nets = [checkpoint.load(folder) for folder in folders]
    dataset = sources.load(runs[0].data, root)
    if dataset.sha256 != sha256:
        raise UserError(f"{folders[0]}: not tested on the {dataset.title} that is in {root}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)

    waiting = {
        name: [place for place, result in enumerate(results) if name not in result.errors]
        for name in CORRUPTIONS
    }
    total = sum(len(CORRUPTIONS[name].strengths) for name in CORRUPTIONS if waiting[name])
    with tqdm(total=total, unit=" tests", dynamic_ncols=True, disable=not total) as bar:
        for name, places in waiting.items():
            corruption = CORRUPTIONS[name]
            counts = {
                place: [[corruption.neutral, results[place].run["test_errors"]]]
                for place in places
            }
            for strength in corruption.strengths if places else ():
                bar.set_description(f"{name} {strength:g}")
                draws = generator(SEED, "corruption")
                images = corruption(dataset.test.images, strength, draws).to(device)
                for place in places:
                    split = Split(images, dataset.test.labels)
                    errors = score(nets[place].to(device), split).errors
                    counts[place].append([strength, errors])
                bar.update()
            for place in places:
                results[place].errors[name] = sorted(counts[place])
                results[place].write(paths[place])
    return paths


def _begin(folder: Path, run: Record, path: Path, *, again: bool) -> Robustness:
    """Begin a run's record, or resume an earlier one."""
    command = shlex.join(["python", "-m", "experiments.robustness", known_as(folder)])
    sha256 = run.provenance.data_sha256
    target = run.config.get("recipe.augmentation._target_")
    new = Robustness(
        data=run.data,
        run={name: getattr(run, name) for name in RUN}
        | {name: getattr(run.provenance, name) for name in ("command", "commit")}
        | {"test_errors": run.scores["test"]["errors"]}
        | {"augmentation": target.rpartition(".")[2] if target else None},
        test_images=run.images["test"],
        errors={},
        provenance=Provenance.of(command, sha256),
    )
    if again or not path.exists():
        return new
    old = _read(path)
    if old.run != new.run:
        raise UserError(f"{path}: of another run than {folder}; --again replaces it")
    for name, counts in old.errors.items():
        corruption = CORRUPTIONS.get(name)
        strengths = [strength for strength, _ in counts]
        if corruption and strengths == sorted((corruption.neutral, *corruption.strengths)):
            new.errors[name] = counts
    return new


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """Runs that differ in nothing but their seed, and their mean accuracies.

    Attributes:
        augmentation: The name of its class, None for runs without.
        runs: How many they are.
        accuracies: In percent, by corruption and strength.
        corrupted: Of each run the mean accuracy over all corruptions, in percent; of a corruption
            that over the strengths that change an image.

    The others are those of their records.
    """

    architecture: str
    recipe: str
    precision: str
    variant: Variant
    label: str
    augmentation: str | None
    runs: int
    accuracies: dict[str, dict[float, float]]
    corrupted: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The network, and what tells these runs from those by its own recipe."""
        parts = [self.architecture]
        parts += [self.recipe] if self.recipe != self.architecture else []
        parts += [self.precision] if self.precision != "32-true" else []
        return ", ".join([*parts, *([self.label] if self.label else described(self.variant))])

    @property
    def is_convolutional(self) -> bool:
        """Whether the network has a convolution."""
        return blank(self.architecture).is_convolutional


def averaged(tests: Iterable[Robustness], data: str = "mnist") -> list[Averaged]:
    """Average over seeds, on one data set; the smallest networks first, of each the own recipe."""
    by_kind: dict[str, list[Robustness]] = {}
    for test in tests:
        if test.data == data:
            kind = {key: test.run[key] for key in RUN if key != "seed"}
            by_kind.setdefault(json.dumps(kind, sort_keys=True), []).append(test)
    rows = []
    for members in by_kind.values():
        each = [member.accuracies for member in members]
        accuracies = {
            name: {
                strength: mean(one[name][strength] for one in each)
                for strength in each[0][name]
                if all(strength in one[name] for one in each)
            }
            for name in CORRUPTIONS
            if all(name in one for one in each)
        }
        run = {key: members[0].run[key] for key in (*RUN, "augmentation") if key != "seed"}
        corrupted = [
            mean(over_strengths(name, one[name]) for name in accuracies)
            for one in each
            if accuracies
        ]
        rows.append(Averaged(**run, runs=len(members), accuracies=accuracies, corrupted=corrupted))
    sizes = {row.architecture: blank(row.architecture).parameter_count for row in rows}
    return sorted(
        rows,
        key=lambda row: (
            *(sizes[row.architecture], row.architecture, row.recipe != row.architecture),
            *(row.recipe, row.precision, bool(row.variant), row.title),
        ),
    )


def over_strengths(corruption: str, accuracies: Mapping[float, float]) -> float:
    """Average over the strengths of a corruption that change an image."""
    neutral = CORRUPTIONS[corruption].neutral
    return mean(percent for strength, percent in accuracies.items() if strength != neutral)


def pairs(nets: Iterable[Averaged]) -> list[tuple[Averaged, Averaged]]:
    """Pair what was trained without augmentation and with that of augmented_cnn, else the same.

    Of the same precision where there are such runs, else of those that there are: bf16-mixed takes
    a processor that not everyone has, and changes far less than augmentation does.
    """
    by_rest: dict[str, dict[str | None, dict[str, Averaged]]] = {}
    for net in nets:
        rest = {k: v for k, v in net.variant.items() if not k.startswith("recipe.augmentation")}
        key = json.dumps([net.architecture, net.recipe, rest], sort_keys=True)
        by_rest.setdefault(key, {}).setdefault(net.augmentation, {})[net.precision] = net
    found = []
    for kinds in by_rest.values():
        without, augmented = kinds.get(None, {}), kinds.get("RandomAffine", {})
        same = [(without[each], augmented[each]) for each in without if each in augmented]
        found += same or [*zip(without.values(), augmented.values(), strict=False)][:1]
    return found
