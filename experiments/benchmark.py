"""How fast do we train, against the best bare loop that we can write?

    python -m experiments.benchmark
    python -m experiments.benchmark mlp lenet5 --seconds 5 --rounds 5

Both sides train the same network by its own recipe's optimiser and batch size, on random pixels in
memory: ours as experiments.run does (Lightning, shuffling, counting errors, logging to TensorBoard
and saving a checkpoint after each epoch), the bare loop with forward, backward and step alone. The
sides take turns, and the ratio is that of each pair, so that a machine whose speed drifts does not
decide it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module

from experiments.command import run_command, typed
from mnist_arch.data.batches import Batches, Shuffle
from mnist_arch.data.splits import Split
from mnist_arch.runs import assemble
from mnist_arch.runs.config import Config

NETWORKS = ["mlp", "lenet5", "tanh_cnn", "dropout_cnn"]


def main() -> None:
    """Measure and print a Markdown table of images per second."""
    parser = argparse.ArgumentParser(
        prog="experiments.benchmark", description=__doc__.split("\n")[0]
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement, about")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements")
    asked = parser.parse_args()
    print("| network | batch | bare loop, images/s | ours, images/s | ours / bare (min - max) |")
    print("| --- | --- | --- | --- | --- |")
    for name in asked.networks:
        config = composed(name)
        bare_loop(config, 20)  # warms up
        steps = max(20, round(asked.seconds * 20 / bare_loop(config, 20)))
        pairs = [(bare_loop(config, steps), ours(config, steps)) for _ in range(asked.rounds)]
        images = steps * config.recipe.batch_size
        bare, own = (images / statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = [slow / quick for quick, slow in pairs]
        print(
            f"| `{name}` | {config.recipe.batch_size} | {bare:,.0f} | {own:,.0f} | "
            f"{1 / statistics.median(ratios):.2f} "
            f"({1 / max(ratios):.2f} - {1 / min(ratios):.2f}) |",
            flush=True,
        )


def composed(name: str) -> Config:
    """Return the configuration of `experiments.run model=NAME`, for one epoch on the CPU."""
    with initialize_config_module("conf", version_base="1.3"):
        words = [f"model={name}", "trainer.accelerator=cpu"]
        words += ["recipe.max_epochs=1", "recipe.keep=last", "recipe.validation=0"]
        config: Config = typed(compose("config", words))
    return config


def random_split(count: int) -> Split:
    """Return random pixels and digits."""
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=draws)
    return Split(images, torch.randint(0, 10, (count,), generator=draws))


def bare_loop(config: Config, steps: int) -> float:
    """Return the seconds of so many steps, and of nothing else."""
    net = assemble.network(config).train()
    optimizer = assemble.classifier(config, net).configure_optimizers()
    optimizer = optimizer[0][0] if isinstance(optimizer, tuple) else optimizer
    split = random_split(min(steps, 100) * config.recipe.batch_size)
    batches = list(Batches(split, config.recipe.batch_size))

    def loop() -> None:
        for step in range(steps):
            images, digits = batches[step % len(batches)]
            optimizer.zero_grad(set_to_none=True)
            net.head.loss(net(images), digits).backward()
            optimizer.step()

    return seconds(loop)


def ours(config: Config, steps: int) -> float:
    """Return the seconds of an epoch of so many steps, its logging and checkpoint included."""
    size = config.recipe.batch_size
    classifier = assemble.classifier(config, assemble.network(config))
    augmentation = assemble.data_module(config).augmentation
    batches = Batches(random_split(steps * size), size, Shuffle(config.seed), augmentation)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = assemble.trainer(config, Path(folder), [clock], validate=False)
        trainer.fit(classifier, batches)
    return clock.ended - clock.began


class Clock(pl.Callback):
    """Notes when an epoch begins, and when training ends."""

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_train_end(self, *_: object) -> None:
        """Stop the clock."""
        self.ended = time.perf_counter()


def seconds(work: Callable[[], None]) -> float:
    """Time a piece of work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    run_command(main)
