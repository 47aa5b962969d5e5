"""bf16 where the processor has it, and where it has not."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

import mnist_arch
from mnist_arch.runs import arithmetic, assemble, train
from mnist_arch.runs.config import compose
from mnist_arch.training.bf16 import EmulatedBF16


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("native", [True, False])
def test_emulated_bf16_is_one_line_before_the_training(
    precision: str,
    native: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(arithmetic, "has_bf16", lambda: native)
    train.prepare(compose(["trainer.accelerator=cpu", f"trainer.precision={precision}"]))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (precision == "bf16-mixed" and not native)
    assert all("no bf16 instructions" in line and "32-true" in line for line in lines)


@pytest.mark.parametrize("native", [True, False])
def test_a_record_says_that_bf16_was_emulated(
    native: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entered: list[EmulatedBF16] = []
    enter = EmulatedBF16.__enter__

    def watched(mode: EmulatedBF16) -> EmulatedBF16:
        entered.append(mode)
        return enter(mode)

    monkeypatch.setattr(arithmetic, "has_bf16", lambda: native)
    monkeypatch.setattr(EmulatedBF16, "__enter__", watched)
    words = ["data=mnist_5k", "trainer.accelerator=cpu", "trainer.precision=bf16-mixed"]
    short = ["+trainer.limit_train_batches=2", "recipe.max_epochs=1", f"runs={tmp_path}"]
    run = mnist_arch.train("dense", overrides=[*words, *short])
    assert run.record.device.endswith("bf16 emulated") is not native
    assert len(entered) == (not native)


def test_each_of_several_processes_enters_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(arithmetic, "has_bf16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = ["model=lenet5", "trainer.accelerator=cpu", "trainer.precision=bf16-mixed"]
    words += ["trainer.threads=3"]
    alone, together = (
        assemble.trainer(compose([*words, f"trainer.devices={n}"]), tmp_path, [], validate=False)
        for n in (1, 2)
    )
    entering = arithmetic.ArithmeticOfEachProcess
    assert not any(isinstance(each, entering) for each in alone.callbacks)
    (callback,) = (each for each in together.callbacks if isinstance(each, entering))
    threads = torch.get_num_threads()
    torch.set_deterministic_debug_mode("default")
    try:
        callback.setup(together, pl.LightningModule(), "fit")
        with callback.entered:
            assert isinstance(_get_current_dispatch_mode(), EmulatedBF16)
            assert torch.get_num_threads() == 3
            assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)
    assert _get_current_dispatch_mode() is None
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("more", "enabled"), [([], True), (["+trainer.deterministic=false"], False)]
)
def test_a_run_computes_each_time_the_same_unless_told_otherwise(
    more: list[str], enabled: bool, tmp_path: Path
) -> None:
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, *_: object) -> None:
            seen.append(torch.are_deterministic_algorithms_enabled())

    torch.set_deterministic_debug_mode("default")
    words = ["data=mnist_5k", "recipe.max_epochs=1", "+trainer.limit_train_batches=1", *more]
    mnist_arch.train("dense", overrides=[*words, f"runs={tmp_path}"], callbacks=[Watch()])
    assert (seen, torch.are_deterministic_algorithms_enabled()) == ([enabled], False)
