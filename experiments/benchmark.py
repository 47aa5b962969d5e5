"""How fast do we train, against the best bare loop that we can write?

    python -m experiments.benchmark
    python -m experiments.benchmark mlp lenet5 --seconds 5 --rounds 5

Both sides train the same network by its own recipe's optimiser and batch size, on random pixels:
ours as experiments.run does (Lightning, shuffling, counting errors, logging to TensorBoard and
saving a checkpoint after each epoch), the bare loop with forward, backward and step alone. The
sides take turns, and the ratio is that of each pair, so that a machine whose speed drifts does not
decide it.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import mnist_arch
from experiments.command import Parser, run_command
from mnist_arch.reports.table import Column, Table
from mnist_arch.runs.config import Config, compose

if TYPE_CHECKING:
    from mnist_arch.data.splits import Split

NETWORKS = ["mlp", "lenet5", "tanh_cnn", "dropout_cnn"]
COLUMNS = (
    Column("network"),
    Column("batch", "{:,}"),
    Column("bare loop, images/s", "{:,.0f}"),
    Column("ours, images/s", "{:,.0f}"),
    Column("ours / bare", "{:.2f}"),
    Column("least", "{:.2f}"),
    Column("greatest", "{:.2f}"),
)


def main() -> None:
    parser = Parser(__file__, __doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement, about")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements")
    args = parser.parse_args()
    rows = []
    for name in args.networks:
        config = compose([f"model={name}", "trainer.accelerator=cpu"])
        bare_loop(config, 20)  # warms up
        steps = max(20, round(args.seconds * 20 / bare_loop(config, 20)))
        pairs = [(bare_loop(config, steps), ours(config, steps)) for _ in range(args.rounds)]
        images = steps * config.recipe.batch_size
        bare, own = (images / statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = sorted(quick / slow for quick, slow in pairs)
        middle = statistics.median(ratios)
        rows.append(
            (f"`{name}`", config.recipe.batch_size, bare, own, middle, ratios[0], ratios[-1])
        )
    print(Table(COLUMNS, rows).markdown())


def random_split(count: int) -> "Split":
    """Return random pixels and labels."""
    import torch  # seconds of imports, here and below

    from mnist_arch.data.splits import Split

    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=draws)
    return Split(images, torch.randint(0, 10, (count,), generator=draws))


def bare_loop(config: Config, steps: int) -> float:
    """Return the seconds of so many steps, and of nothing else."""
    from mnist_arch.data.batches import Batches
    from mnist_arch.runs import assemble

    net = assemble.network(config).train()
    optimizer = assemble.classifier(config, net).configure_optimizers()
    optimizer = optimizer[0][0] if isinstance(optimizer, tuple) else optimizer
    batches = list(
        Batches(random_split(min(steps, 100) * config.recipe.batch_size), config.recipe.batch_size)
    )
    started = time.perf_counter()
    for step in range(steps):
        images, labels = batches[step % len(batches)]
        optimizer.zero_grad(set_to_none=True)
        net.head.loss(net(images), labels).backward()
        optimizer.step()
    return time.perf_counter() - started


def ours(config: Config, steps: int) -> float:
    """Return the seconds of an epoch of so many steps, its logging and checkpoint included."""
    from pytorch_lightning.callbacks import LambdaCallback

    from mnist_arch.data import idx
    from mnist_arch.data.idx import FILES

    times: list[float] = []

    def note(*_: object) -> None:
        times.append(time.perf_counter())

    clock = LambdaCallback(on_train_epoch_start=note, on_train_end=note)
    with tempfile.TemporaryDirectory() as folder:
        train = random_split(steps * config.recipe.batch_size)
        for (images, labels), split in zip(FILES, (train, random_split(10)), strict=True):
            Path(folder, images).write_bytes(idx.encode(split.images[:, 0].numpy()))
            Path(folder, labels).write_bytes(idx.encode(split.labels.byte().numpy()))
        words = ["data=idx", f"data.root={folder}", f"runs={folder}/runs", "figures=false"]
        words += ["recipe.max_epochs=1", "recipe.keep=last", "recipe.validation=0", "test=false"]
        words += ["trainer.accelerator=cpu"]
        mnist_arch.train(config.model.name, overrides=words, callbacks=[clock])
    started, ended = times
    return ended - started


if __name__ == "__main__":
    run_command(main)
