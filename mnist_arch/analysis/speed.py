"""How fast networks train, are scored and start, measured side by side."""

import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from typing_extensions import override

from mnist_arch.data import idx
from mnist_arch.data.batches import Batches, Step
from mnist_arch.data.idx import FILES
from mnist_arch.data.splits import Split
from mnist_arch.errors import UserError
from mnist_arch.models.layers import PartialConv2d
from mnist_arch.models.network import Network
from mnist_arch.runs import assemble
from mnist_arch.runs.config import Config, compose
from mnist_arch.runs.provenance import Provenance
from mnist_arch.runs.scoring import score
from mnist_arch.runs.train import train
from mnist_arch.training.compiled import CompiledSDLM
from mnist_arch.training.optimizers import SDLM, KerasAdam
from mnist_arch.training.stack import Stack
from mnist_arch.training.update import PlainUpdate

PATTERNS = 60_000  # of a pass
# The kinds of work in a step, by words in the names of torch's operations; the first that fits.
WORK = {
    "convolutions": ("convolution",),
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm"),
    "optimiser": ("_fused_", "_foreach_", "Optimizer."),
    "pooling": ("pool",),
    "dropout's draws": ("bernoulli",),
    "copies": ("copy_",),
}
OTHER = "the rest"
Rates = list[float]  # one for each round


class Pace(TypedDict):
    """How fast a network trains by a recipe."""

    network: str
    recipe: str
    rates: Rates


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The record of one benchmark.

    Rates are images/s of each round; the sides of a comparison take turns within a round.

    Attributes:
        version: Of this format.
        processor: Its model, its flags, how many cores there are, and torch's threads.
        load: The machine's mean number of running processes in the minute before.
        training: For each network its ``batch``, the ``flops`` of an image (forward, backward),
            the ``peak``, GFLOP/s that torch reaches in a large matrix product, and the rates
            ``bare``, ``ours`` and, where there is one, ``keras``.
        scoring: For each network the rates of ``scoring`` and ``training``.
        starts: Seconds of each command.
        seeds: For each network and number of copies, seconds of a step of all, ``together``, and
            of a step of one by itself, ``alone``.
        processes: For each network the rates of one run at a time with all threads, ``alone``,
            of one at a time with one thread, ``alone_thread``, and of as many as there are cores,
            one thread each, ``together``.
        profile: For each network the ``shares`` of the kinds of work (`WORK`) in the time that
            torch spends on a step, of one round.
        sdlm: Seconds of a pass of 60,000 single patterns: ``compiled`` and ``plain``.
        widths: For each number of hidden units of an mlp the rates.
        recipes: The rates of our training; those of single patterns over a whole pass, with the
            curvature that it begins by, on one thread.
        speedrun: For each program what `experiments.speedrun` reports.
        commands: For each part what measured it; where some rows were measured again, in turn.
        provenance: What made the last of them.
    """

    version: int = 1
    processor: dict[str, Any]
    load: float
    training: list[dict[str, Any]]
    scoring: list[dict[str, Any]]
    starts: dict[str, Rates]
    seeds: list[dict[str, Any]]
    processes: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    sdlm: dict[str, Rates]
    widths: list[dict[str, Any]]
    speedrun: list[dict[str, Any]]
    recipes: list[Pace] = field(default_factory=list)
    commands: dict[str, list[str]]
    provenance: Provenance


def processor() -> dict[str, Any]:
    """Describe the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    facts = {key.strip(): value.strip() for key, value in pairs}
    flags = facts.get("flags", "").split()
    return {
        "model": facts.get("model name") or platform.processor() or platform.machine(),
        "family": f"{facts.get('cpu family', '?')}/{facts.get('model', '?')}",
        "flags": [each for each in flags if each.startswith(("avx", "amx", "fma"))],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def peak(size: int = 1024, count: int = 8) -> float:
    """Return the GFLOP/s of a product of square matrices, in float32."""
    one, other = torch.rand(2, size, size)
    started = time.perf_counter()
    for _ in range(count):
        one @ other
    return 2 * count * size**3 / (time.perf_counter() - started) / 1e9


def random_split(count: int) -> Split:
    """Return random pixels and labels."""
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=draws)
    return Split(images, torch.randint(0, 10, (count,), generator=draws))


def bare(config: Config, steps: int) -> float:
    """Return the images/s of forward, backward and step in plain torch, and of nothing else.

    The network is ours, with LeNet-5's C3 as one dense convolution under a mask; the optimiser
    torch's own, fused, with all parameters in one group.
    """
    net = _masked(assemble.network(config)).to(memory_format=torch.channels_last).train()
    optimizer = _plain_optimizer(config, net)
    batch = config.recipe.batch_size
    split = random_split(min(steps, 100) * batch)
    batches = [*zip(split.images.split(batch), split.labels.split(batch), strict=True)]
    started = time.perf_counter()
    for step in range(steps):
        images, labels = batches[step % len(batches)]
        optimizer.zero_grad(set_to_none=True)
        net.head.loss(net(images), labels).backward()
        optimizer.step()
    return steps * batch / (time.perf_counter() - started)


class Masked(nn.Module):
    """A convolution of all input maps, whose kernels a mask keeps at zero."""

    mask: Tensor

    def __init__(self, partial: PartialConv2d) -> None:
        super().__init__()
        weight = torch.zeros(*partial.connected.shape, partial.kernel, partial.kernel)
        weight[partial.output_maps, partial.input_maps] = partial.weight.detach()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(partial.bias.detach().clone())
        self.register_buffer("mask", partial.connected.float()[:, :, None, None])

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.conv2d(maps, self.weight * self.mask, self.bias)


def _masked(net: Network) -> Network:
    for name, module in [*net.named_children()]:
        if isinstance(module, PartialConv2d):
            setattr(net, name, Masked(module))
    return net


def _plain_optimizer(config: Config, net: Network) -> torch.optim.Optimizer:
    settings = config.recipe.optimizer
    if settings["_target_"].endswith("KerasAdam"):
        return torch.optim.Adam(net.parameters(), lr=settings["lr"], fused=True)
    return torch.optim.SGD(
        net.parameters(),
        lr=settings["lr"],
        momentum=settings.get("momentum", 0),
        nesterov=settings.get("nesterov", False),
        weight_decay=2 * config.recipe.l2,
        fused=True,
    )


class Clock(pl.Callback):
    """Notes when the first epoch starts, and when training ends."""

    @override
    def on_train_epoch_start(self, *_: object) -> None:
        self.started = time.perf_counter()

    @override
    def on_train_end(self, *_: object) -> None:
        self.ended = time.perf_counter()


class FirstStep(pl.Callback):
    """Prints the Unix time before the first step of a training."""

    @override
    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step == 0:
            sys.stdout.write(f"first step at {time.time()}\n")


def ours(config: Config, steps: int, threads: int | None = None) -> float:
    """Return the images/s of an epoch as every run trains: logging, validation, checkpoint."""
    clock, count = Clock(), steps * config.recipe.batch_size
    with tempfile.TemporaryDirectory() as folder:
        splits = random_split(count + -(-count // 50)), random_split(10)
        for (images, labels), split in zip(FILES, splits, strict=True):
            Path(folder, images).write_bytes(idx.encode(split.images[:, 0].numpy()))
            Path(folder, labels).write_bytes(idx.encode(split.labels.byte().numpy()))
        words = [f"model={config.model.name}", f"recipe={config.recipe.name}", "data=idx"]
        words += [f"data.root={folder}", "test=false", f"runs={folder}/runs", "figures=false"]
        words += [f"recipe.validation={1 / 51}"]
        words += ["recipe.max_epochs=1", "recipe.keep=last"]
        words += [f"trainer.threads={threads}"] if threads else []
        train(compose([*words, "trainer.accelerator=cpu"]), callbacks=[clock])
    return count / (clock.ended - clock.started)


def side_by_side(config: Config, steps: int) -> float:
    """Return the images/s of as many runs as there are cores, one thread each, all together.

    Raises:
        UserError: joblib is not installed.
    """
    try:
        import joblib
    except ImportError as error:
        raise UserError("processes: pip install 'mnist_arch[joblib]'") from error
    cores = os.cpu_count() or 1
    job = joblib.delayed(ours)
    return float(sum(joblib.Parallel(cores)(job(config, steps, 1) for _ in range(cores))))


def keras(python: str, program: Path, config: Config, steps: int) -> float | None:
    """Return the images/s of the same network in Keras; None where its program has no such one.

    Raises:
        UserError: The program failed.
    """
    words = [python, str(program), config.model.name, str(config.recipe.batch_size), str(steps)]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"--keras {python}: cannot be run ({error})") from error
    if "KeyError" in done.stderr:
        return None
    if done.returncode:
        raise UserError(f"{python} {program}: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.splitlines()[-1])


def scoring(config: Config, count: int) -> float:
    """Return the images/s of scoring."""
    net, split = assemble.network(config), random_split(count)
    started = time.perf_counter()
    score(net, split)
    return count / (time.perf_counter() - started)


def start(words: Sequence[str]) -> float:
    """Return the seconds that a command takes, or until its first step where it trains."""
    begun = time.time()
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    ended = time.time()
    for line in done.stdout.splitlines():
        if line.startswith("first step at "):
            ended = float(line.rpartition(" ")[2])
    return ended - begun


def together(config: Config, copies: int, steps: int) -> float:
    """Return the seconds of a step of so many copies at once."""
    stack = Stack([assemble.network(config) for _ in range(copies)])
    optimizer = KerasAdam(stack.weights, lr=1e-3)
    batch = config.recipe.batch_size
    split = random_split(copies * batch)
    images, labels = split.images.view(copies, batch, 1, 28, 28), split.labels
    loss = stack.base[0].head.loss

    def step() -> None:
        for weight in stack.weights:
            weight.grad = None
        (loss(stack(images, {}).flatten(0, 1), labels) * copies).backward()
        optimizer.step()

    return _seconds(step, steps)


def sdlm(patterns: int, *, compiled: bool) -> float:
    """Return the seconds of a pass of 60,000 single patterns, on one thread."""
    config = compose(["model=lenet5_1998"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    flags = torch.backends.mkldnn.set_flags(False, None, None, None)
    try:
        net = assemble.network(config)
        optimizer: Any = assemble.classifier(config, net).configure_optimizers()[0][0]
        assert isinstance(optimizer, SDLM)
        optimizer.set_curvature({each: torch.ones_like(each) for each in net.parameters()})
        plain = PlainUpdate(net, net.head.loss, optimizer)
        update: Any = CompiledSDLM(net, net.head.loss, optimizer, plain) if compiled else plain
        steps = [Step(*each) for each in Batches(random_split(100), 1)]
        update(steps[0])
        patterns_again = itertools.cycle(steps)
        seconds = _seconds(lambda: update(next(patterns_again)), patterns)
    finally:
        torch.backends.mkldnn.set_flags(*flags)
        torch.set_num_threads(threads)
    return PATTERNS * seconds


def profile(config: Config, steps: int = 20) -> dict[str, float]:
    """Return the share of each kind of work in what torch does in our steps."""
    net = assemble.network(config).train()
    optimizer: Any = assemble.classifier(config, net).configure_optimizers()
    optimizer = optimizer[0][0] if isinstance(optimizer, tuple) else optimizer
    update = PlainUpdate(net, net.head.loss, optimizer)
    batches = [*Batches(random_split(10 * config.recipe.batch_size), config.recipe.batch_size)]
    for batch in batches:
        update(Step(*batch))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for number in range(steps):
            update(Step(*batches[number % len(batches)]))
    return shares({each.key: each.self_cpu_time_total for each in profiler.key_averages()})


def shares(times: Mapping[str, float]) -> dict[str, float]:
    """Turn the times of operations, by their names, into the shares of the kinds of work.

    >>> shares({"aten::convolution_backward": 3, "aten::add_": 1})["convolutions"]
    0.75
    """
    by_kind = dict.fromkeys([*WORK, OTHER], 0.0)
    for name, time_ in times.items():
        kinds = (kind for kind, words in WORK.items() if any(word in name for word in words))
        by_kind[next(kinds, OTHER)] += time_
    total = sum(by_kind.values())
    return {kind: each / total for kind, each in by_kind.items()}


def wide(hidden: int, steps: int, batch: int = 32) -> float:
    """Return the images/s of a bare loop over an mlp with so many hidden units."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    optimizer = KerasAdam(net.parameters(), lr=1e-3)
    split = random_split(batch)
    images, labels = split.images / 255, split.labels

    def step() -> None:
        for weight in net.parameters():
            weight.grad = None
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return batch / _seconds(step, steps)


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios, so that a drift does not decide it."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def _seconds(action: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        action()
    return (time.perf_counter() - started) / count
