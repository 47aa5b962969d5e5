"""What is said of an exported file: the words inside it, the model card beside it, its record."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import mnist_arch
from mnist_arch.errors import UserError
from mnist_arch.models import ARCHITECTURES
from mnist_arch.models.heads import Head, KerasSigmoid, RadialBasis, Softmax
from mnist_arch.reports.results import Table, markdown
from mnist_arch.runs import records
from mnist_arch.runs.records import SPLITS, Record


@dataclass(frozen=True)
class Exported:
    """A file that was written and verified.

    Attributes:
        name: Its own, ending in ``.onnx`` or ``.pt2``.
        size: Bytes.
        sha256: Of its bytes.
        verified_on: The digits that it was verified on, in words.
        batches: The sizes of batches that they were read in.
        probabilities: The greatest difference from the network's own.
        scores: Likewise, in units of the greatest score of the image (of 1, if that is less).
    """

    name: str
    size: int
    sha256: str
    verified_on: str
    batches: list[int]
    probabilities: float
    scores: float


class Meaning(NamedTuple):
    """What a head's numbers say to a reader."""

    scores: str
    probabilities: str
    no_digit: str  # what becomes of a picture that is none


VERSION = 1  # of the record of exported files
LIBRARIES = ("torch", "onnx", "onnxruntime", "onnxscript")  # that a file depends on
ANSWERS = "A picture that shows no digit is answered with a digit all the same."
MEANINGS: dict[type[Head], Meaning] = {
    Softmax: Meaning(
        "the logits of a softmax",
        "the softmax of the scores; the ten sum to 1",
        ANSWERS,
    ),
    KerasSigmoid: Meaning(
        "the logits of ten sigmoids",
        "the ten sigmoids of the scores; they need not sum to 1",
        ANSWERS,
    ),
    RadialBasis: Meaning(
        "minus the squared distance from the digit's code",
        'those of the ten digits beside "none of them" (LeCun et al. 1998, eq. 9)',
        "What the ten probabilities lack of 1 is the probability that it is none of the digits.",
    ),
}
SPLITS_SAID = {"train": "training", "validation": "held-out", "test": "test"}
USE = {
    ".onnx": """\
import numpy as np
import onnxruntime

images = np.load("images.npy")  # (N, 1, 28, 28) uint8
reader = onnxruntime.InferenceSession("{name}")
scores, probabilities = reader.run(None, {{"images": images}})
digits = scores.argmax(1)

words = reader.get_modelmeta().custom_metadata_map
""",
    ".pt2": """\
import json
import numpy as np
import torch

images = torch.from_numpy(np.load("images.npy"))  # (N, 1, 28, 28) uint8
kept = {{"metadata.json": ""}}  # is filled
reader = torch.export.load("{name}", extra_files=kept).module()
scores, probabilities = reader(images)
digits = scores.argmax(1)

words = json.loads(kept["metadata.json"])
""",
}
CARD = """\
# {exported.name}

`{record.architecture}`: {summary}. Trained to read {record.data_title} by mnist_arch:

```
{record.command}
```

## Use

```python
{use}```

{contract}

`words` are those at the end of this card.

## How well it reads

{figures}

Errors are images misread, in float32; losses are the recipe's own, means.{by_digit}{claim}

## Limits

* The figures are of digits made as {record.data_title}'s. A picture of your own must be brought
  into that form first: light ink on black, fitted into 20x20 pixels with its proportions kept, its
  centre of mass in the middle of the 28x28. A digit in another form is misread more often.
* {meaning.no_digit}
* The probabilities have not been calibrated.
* It is one run, of one seed: another would misread other digits, and a few more or fewer.

## How it was trained

Recipe `{record.recipe}`, {record.epochs} epochs, of which the weights of number
{record.kept_epoch} were kept; {record.parameters:,} parameters; {record.precision} on
{record.device}. {record.note}

## How the file was verified

Read back, it was given {exported.verified_on}, in batches of {batches}. It
differs from the network in PyTorch by at most {exported.probabilities:.1e} in probabilities and by
{exported.scores:.1e} in scores, these in units of the image's greatest (of 1, if that is less).

{exported.size:,} bytes, SHA-256 `{exported.sha256}`. The words inside it:

{words}
"""


def words(record: Record, record_sha256: str) -> dict[str, str]:
    """Name what a file says of itself, wherever it goes without its card."""
    meaning = MEANINGS[type(ARCHITECTURES[record.architecture].head)]
    return {
        "architecture": record.architecture,
        "recipe": record.recipe,
        "data": record.data_title,
        "seed": str(record.seed),
        "commit": record.commit or "unknown",
        "record_sha256": record_sha256,
        "mnist_arch": mnist_arch.__version__,
        "torch": version("torch"),
        "images": "(N, 1, 28, 28) uint8: raw pixels, background 0 to ink 255",
        "scores": f"(N, 10) float32: {meaning.scores}; the greatest wins",
        "probabilities": f"(N, 10) float32: {meaning.probabilities}",
    }


def model_card(exported: Exported, record: Record, metadata: dict[str, str]) -> str:
    """Write the card of a file in Markdown; every figure is the record's, or of the file."""
    network = ARCHITECTURES[record.architecture]
    contract = [(f"`{name}`", metadata[name]) for name in ("images", "scores", "probabilities")]
    return CARD.format(
        summary=network.summary(),
        record=record,
        exported=exported,
        meaning=MEANINGS[type(network.head)],
        use=USE[Path(exported.name).suffix].format(name=exported.name),
        contract=markdown((("name", "what it is"), [*contract])),
        figures=markdown(_figures(record)),
        by_digit=_by_digit(record),
        claim=_claim(record),
        batches=", ".join(f"{size:,}" for size in exported.batches),
        words=markdown((("word", "what it says"), [*metadata.items()])),
    )


def table(exported: Iterable[Exported]) -> Table:
    """A row for each file: its size in bytes, and its differences from its network."""
    rows: list[Sequence[str]] = [
        (f"`{each.name}`", f"{each.size:,}", f"{each.probabilities:.1e}", f"{each.scores:.1e}")
        for each in exported
    ]
    return ("file", "bytes", "probabilities differ", "scores differ"), rows


def write(path: Path, exported: Iterable[Exported], command: str) -> None:
    """Write the record of exported files as JSON; it appears whole or not at all."""
    values = {
        "version": VERSION,
        "command": command,
        "versions": {name: version(name) for name in LIBRARIES if find_spec(name)},
        "files": [asdict(each) for each in exported],
    }
    records.write_values(path, values)


def read(path: Path) -> list[Exported]:
    """Read the record of exported files.

    Raises:
        UserError: There is none, or it is not of this version.
    """
    found = records.read_values(path, {"files"}, VERSION)["files"]
    try:
        return [Exported(**each) for each in found]
    except TypeError as error:
        raise UserError(f"{path}: not a record of exported files ({error})") from error


def _figures(record: Record) -> Table:
    """A row for each split that the record scored."""
    rows: list[Sequence[str]] = []
    for split in SPLITS:
        if figures := record.figures(split):
            counted = (f"{getattr(record, f'{split}_images'):,}", f"{figures['errors']:,}")
            measured = (f"{figures['accuracy']:.2f} %", f"{figures['loss']:.4f}")
            rows.append((SPLITS_SAID[split], *counted, *measured))
    return ("digits", "images", "errors", "accuracy", "loss"), rows


def _by_digit(record: Record) -> str:
    """Say the test errors of each digit, if there are any."""
    if record.test_errors_by_digit is None:
        return ""
    header = ("test digit", *map(str, range(10)))
    errors = ("errors", *map(str, record.test_errors_by_digit))
    return f"\n\n{markdown((header, [errors]))}"


def _claim(record: Record) -> str:
    """Say what the recipe's source claims, if there is one."""
    claim = record.claim or {}
    said = [
        f"{SPLITS_SAID[split]} accuracy {claim[f'{split}_accuracy']:.2f} %"
        for split in SPLITS
        if claim.get(f"{split}_accuracy") is not None
    ]
    if claim.get("test_loss") is not None:
        said.append(f"test loss {claim['test_loss']}")
    return f"\n\nIts source claims {', '.join(said)} ({claim['source']})." if said else ""
