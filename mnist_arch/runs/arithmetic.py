"""The arithmetic of a run, wherever it trains."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator
from typing_extensions import override

from mnist_arch.runs.config import Config
from mnist_arch.runs.processor import has_bf16
from mnist_arch.training.bf16 import EmulatedBF16


def on_cpu(accelerator: str) -> bool:
    """Whether the CPU trains, which it does where there is nothing else."""
    others = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not others)


def emulates_bf16(config: Config) -> bool:
    """Whether it trains in bf16 on a processor that has no instructions for it."""
    bf16 = config.trainer["precision"] == "bf16-mixed"
    return bf16 and on_cpu(config.trainer["accelerator"]) and not has_bf16()


@contextmanager
def arithmetic(config: Config) -> Iterator[None]:
    """Compute in the precision that was asked for, each time the same.

    bf16 is emulated where a processor has no instructions for it. On a GPU, torch's convolutions
    round float32 to TF32, which has 10 bits of 23, if they may. Without oneDNN a convolution of a
    single image takes a quarter of the time.
    """
    determinism = torch.get_deterministic_debug_mode()
    if "deterministic" not in config.trainer:
        # As Lightning's deterministic="warn", which would import torch's compiler: 1.5 s.
        torch.set_deterministic_debug_mode("warn")
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    tf32 = torch.backends.cudnn.allow_tf32
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
    single = config.recipe.batch_size == 1
    # Not mkldnn.flags: that sets TF32 too, of which torch 2.15 warns where there is no Intel GPU.
    enabled = torch.backends.mkldnn.set_flags(False, None, None, None)[0] if single else False
    try:
        with EmulatedBF16() if emulates_bf16(config) else nullcontext():  # type: ignore[no-untyped-call]
            yield
    finally:
        if single:
            torch.backends.mkldnn.set_flags(enabled, None, None, None)
        if torch.cuda.is_available():
            torch.backends.cudnn.allow_tf32 = tf32
        torch.set_deterministic_debug_mode(determinism)


class ArithmeticOfEachProcess(pl.Callback):
    """Brings it into the processes that train together; each starts with torch's own.

    The threads that were asked for are of all of them (`Classifier.on_fit_start` shares them).
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.entered = ExitStack()  # for as long as the process lives
        self.entered.enter_context(arithmetic(self.config))
        if self.config.trainer["threads"]:
            torch.set_num_threads(self.config.trainer["threads"])
