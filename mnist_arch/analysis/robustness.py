"""What trained networks misread of corrupted test digits, the same images for all of them."""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from mnist_arch.analysis.corruptions import CORRUPTIONS
from mnist_arch.data import sources
from mnist_arch.data.batches import Batches
from mnist_arch.data.datamodule import EVALUATION_BATCH
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models import blank
from mnist_arch.randomness import generator
from mnist_arch.runs import checkpoint, provenance, records
from mnist_arch.runs.records import DISTORTIONS_ALONE, Record
from mnist_arch.runs.scoring import score

VERSION = 1
SEED = 0  # draws the corruptions


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """The record of a run's errors on corrupted test digits.

    Attributes:
        version: Of this format.
        command: A command that repeats it from the same run.
        data: A name in conf/data.
        data_sha256: Of each file that the data was read from, uncompressed.
        run: The run's command, commit, architecture, recipe, seed and test errors; its variant,
            see Record, with its precision where that is special; the name of its augmentation.
        test_images: Images of each test.
        errors: For each name in CORRUPTIONS the strengths, weakest first, each with the test
            images that the run misreads; the neutral strength with the run's own test errors.
        versions: Of Python and the libraries.
        commit: Of the code that corrupted the images, None outside a checkout; of a test that was
            broken off, of its last part.
        dirty: Whether mnist_arch in that checkout had uncommitted changes.
    """

    version: int = VERSION
    command: str
    data: str
    data_sha256: dict[str, str]
    run: dict[str, Any]
    test_images: int
    errors: dict[str, list[list[float]]]
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None

    def write(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        records.write_values(path, asdict(self))

    @property
    def accuracies(self) -> dict[str, dict[float, float]]:
        """The percentage read right, by corruption and strength."""
        images = self.test_images
        return {
            name: {strength: 100 * (images - errors) / images for strength, errors in tested}
            for name, tested in self.errors.items()
        }


def read_all(folder: Path) -> list[Robustness]:
    """Read every such record in a folder, in the order of their names.

    Raises:
        UserError: One of them is not readable.
    """
    return [records.read_as(Robustness, path) for path in sorted(folder.glob("*.json"))]


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
        UserError: A run is not finished or was not to read the test digits, they are not of one
            and the same data, it is not the data that is there, or a record is of another run.
    """
    runs = [records.read(folder) for folder in folders]
    paths = [out / f"{folder.resolve().name}.json" for folder in folders]
    if len(set(paths)) < len(paths):
        raise UserError("each run needs a name of its own; rename a folder")
    for folder, run in zip(folders, runs, strict=True):
        if run.test_errors is None:
            raise UserError(f"{folder}: was not to read the test digits (test=false)")
        if run.data_sha256 != runs[0].data_sha256:
            raise UserError(f"{folder}: not tested on the digits of {folders[0]}")
    begun = zip(folders, runs, paths, strict=True)
    found = [_begun(folder, run, path, again=again) for folder, run, path in begun]
    nets = [checkpoint.load(folder) for folder in folders]
    dataset = sources.load(runs[0].data, root)
    if dataset.sha256 != runs[0].data_sha256:
        raise UserError(f"{folders[0]}: not tested on the {dataset.title} that is in {root}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    out.mkdir(parents=True, exist_ok=True)

    waiting = {
        name: [place for place, each in enumerate(found) if name not in each.errors]
        for name in CORRUPTIONS
    }
    total = sum(len(CORRUPTIONS[name].strengths) for name in CORRUPTIONS if waiting[name])
    with tqdm(total=total, unit=" tests", dynamic_ncols=True, disable=not total) as bar:
        for name, places in waiting.items():
            corruption = CORRUPTIONS[name]
            tested = {
                place: [[corruption.neutral, found[place].run["test_errors"]]] for place in places
            }
            for strength in corruption.strengths if places else ():
                bar.set_description(f"{name} {strength:g}")
                draws = generator(SEED, "corruption")
                images = corruption(dataset.test.images, strength, draws).to(device)
                batches = Batches(Split(images, dataset.test.labels), EVALUATION_BATCH)
                for place in places:
                    errors = score(nets[place].to(device), batches).errors
                    tested[place].append([strength, errors])
                bar.update()
            for place in places:
                found[place].errors[name] = sorted(tested[place])
                found[place].write(paths[place])
    return paths


def _begun(folder: Path, run: Record, path: Path, *, again: bool) -> Robustness:
    """Begin a run's record, or go on with an earlier one."""
    commit, dirty = provenance.commit(":/mnist_arch")  # records change beside the code
    precision = [] if run.precision == "32-true" else [run.precision]
    new = Robustness(
        command=shlex.join(["python", "-m", "experiments.robustness", str(folder)]),
        data=run.data,
        data_sha256=run.data_sha256,
        run={name: getattr(run, name) for name in _RUN}
        | {"variant": [*run.variant, *precision], "augmentation": _augmentation(run)},
        test_images=run.test_images or 0,
        errors={},
        versions=provenance.versions(),
        commit=commit,
        dirty=dirty,
    )
    if again or not path.exists():
        return new
    old = records.read_as(Robustness, path)
    if old.run != new.run:
        raise UserError(f"{path}: of another run than {folder}; --again replaces it")
    for name, tested in old.errors.items():
        known = CORRUPTIONS.get(name)
        if known and [s for s, _ in tested] == sorted((known.neutral, *known.strengths)):
            new.errors[name] = tested
    return new


_RUN = ("command", "commit", "architecture", "recipe", "seed", "test_errors")


def _augmentation(run: Record) -> str | None:
    """Name what distorted the training images."""
    target = run.config.get("recipe.augmentation._target_")
    return target.rpartition(".")[2] if target else None


class Averaged(NamedTuple):
    """Runs that differ in nothing but their seed, and what they read right on average."""

    architecture: str
    recipe: str
    variant: tuple[str, ...]
    augmented: bool
    runs: int
    accuracies: dict[str, dict[float, float]]  # percent by corruption and strength

    @property
    def title(self) -> str:
        """The network with what tells these runs from those by its own recipe."""
        recipe = [] if self.recipe == self.architecture else [self.recipe]
        return ", ".join([self.architecture, *recipe, *self.variant])

    @property
    def is_convolutional(self) -> bool:
        """Whether the network has a convolution."""
        return blank(self.architecture).is_convolutional


def averaged(found: Iterable[Robustness], data: str = "mnist") -> list[Averaged]:
    """Average over seeds what was found on one data set; small networks and own recipes first."""
    by_group: dict[tuple[str, ...], list[Robustness]] = defaultdict(list)
    for each in found:
        if each.data != data:
            continue
        run = each.run
        by_group[run["architecture"], run["recipe"], *run["variant"]].append(each)
    made = []
    for (name, recipe, *variant), members in by_group.items():
        shared = set.intersection(*(set(each.errors) for each in members))
        accuracies = {
            kind: {
                strength: mean(each.accuracies[kind][strength] for each in members)
                for strength in members[0].accuracies[kind]
            }
            for kind in CORRUPTIONS
            if kind in shared
        }
        augmented = members[0].run["augmentation"] is not None
        made.append(Averaged(name, recipe, tuple(variant), augmented, len(members), accuracies))
    sizes = {each.architecture: blank(each.architecture).parameter_count for each in made}
    return sorted(made, key=lambda each: (sizes[each.architecture], each.architecture, each.title))


def pairs(tested: Iterable[Averaged]) -> list[tuple[Averaged, Averaged]]:
    """Pair what was trained without distortions and with them, and else the same."""
    by_rest: dict[tuple[str, ...], dict[bool, Averaged]] = defaultdict(dict)
    for each in tested:
        rest = [word for word in each.variant if word not in DISTORTIONS_ALONE]
        by_rest[each.architecture, each.recipe, *rest][each.augmented] = each
    return [(both[False], both[True]) for both in by_rest.values() if len(both) == 2]
