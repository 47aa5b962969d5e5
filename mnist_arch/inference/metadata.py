"""What an exported file says of itself."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mnist_arch.models import blank
from mnist_arch.models.heads import Head, KerasSigmoid, RadialBasis, Softmax, SoftmaxOrNone
from mnist_arch.runs import records


class Meaning(NamedTuple):
    """What the numbers of a head mean."""

    scores: str
    probabilities: str


MEANINGS: dict[type[Head], Meaning] = {
    Softmax: Meaning(
        "the logits of a softmax",
        "the softmax of the scores; the ten sum to 1",
    ),
    KerasSigmoid: Meaning(
        "the logits of ten sigmoids, trained as those of a softmax",
        "the softmax of the scores; the ten sum to 1",
    ),
    SoftmaxOrNone: Meaning(
        'the logits of a softmax in which "none of them" has 0',
        'those of the ten digits beside "none of them", which is what is missing to 1',
    ),
    RadialBasis: Meaning(
        "minus the squared distance from the digit's code",
        'those of the ten digits beside "none of them" (LeCun et al. 1998, eq. 9)',
    ),
}


def metadata(run: Path) -> dict[str, str]:
    """Return what a file holds of a finished run, and what goes in, which stands first, and out.

    Raises:
        UserError: It is no finished run.
    """
    record = records.read(run / "record.json")
    meaning = MEANINGS[type(blank(record.architecture, record.arguments).head)]
    return {
        "images": "(N, 1, 28, 28) uint8: pixel values from 0, background, to 255, ink; not 0 to 1",
        "architecture": record.architecture,
        "recipe": record.recipe,
        "data": record.data_title,
        "seed": str(record.seed),
        "commit": record.provenance.commit or "unknown",
        "record_sha256": hashlib.sha256((run / "record.json").read_bytes()).hexdigest(),
        "mnist_arch": version("mnist_arch"),
        "torch": version("torch"),
        "scores": f"(N, 10) float32: {meaning.scores}; the greatest wins",
        "probabilities": f"(N, 10) float32: {meaning.probabilities}",
    }
