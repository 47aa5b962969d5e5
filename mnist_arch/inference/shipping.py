"""From a finished run to a set of weights that comes with the package; see `runs.shipped`."""

import hashlib
from dataclasses import replace
from pathlib import Path

from mnist_arch import files
from mnist_arch.data.sources import Dataset
from mnist_arch.errors import UserError
from mnist_arch.inference.export import Exported, WithProbabilities, differences, sample
from mnist_arch.runs import checkpoint, records
from mnist_arch.runs.identity import concerns
from mnist_arch.runs.shipped import FILE, FOLDER, READER, name


def ship(run: Path, data: Dataset, out: Path = FOLDER) -> tuple[Path, Exported]:
    """Make a set of a finished run; returns its folder, and how its file was verified.

    Raises:
        UserError: It is no finished run by a recipe of which there is a set, or what is read back
            is not the network.
    """
    record, content = records.read(run), checkpoint.read(run)
    kind = "own" if record.recipe == record.architecture else record.recipe
    reads = kind == READER and concerns(record.variant, "model")  # with a class of its own
    if (record.variant and not reads) or record.data != "mnist" or not record.tested:
        raise UserError(
            f"{run}: to be shipped, a run is tested, on MNIST, by a recipe as it stands"
        )
    folder = out / (READER if reads else name(record.architecture, kind))
    net = checkpoint.network(content, run)
    folder.mkdir(parents=True, exist_ok=True)
    images = sample(data.train.images)
    batches = [1, 7, len(images)]
    with files.whole(folder / FILE) as unfinished:
        checkpoint.write_safetensors(net, content["mnist_arch"], unfinished)
        again = checkpoint.network(checkpoint.read_safetensors(unfinished), unfinished)
        probabilities, scores = differences(WithProbabilities(again), net, images, batches)
        sha256 = checkpoint.weights_sha256(net.state_dict())
        if checkpoint.weights_sha256(again.state_dict()) != sha256:
            raise UserError(f"{run}: not shipped: what is read back are other weights")
    replace(record, checkpoint=FILE, weights_sha256=sha256).write(folder)
    written = (folder / FILE).read_bytes()
    return folder, Exported(
        name=FILE,
        size=len(written),
        sha256=hashlib.sha256(written).hexdigest(),
        verified_on=f"{len(images):,} training images of {data.title}",
        batches=batches,
        probabilities=probabilities,
        scores=scores,
    )
