"""What Linux tells of a processor, in lines of its /proc/cpuinfo."""

from pathlib import Path

import pytest

import mnist_arch
from mnist_arch.runs import train
from mnist_arch.runs.config import compose
from mnist_arch.runs.processor import has_bf16
from mnist_arch.training.bf16 import EmulatedBF16


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu sse4_2 avx2 avx512f avx512_bf16 avx512_fp16 amx_bf16\n", True),  # Xeon
        ("flags\t\t: fpu sse4_2 avx2 avx512f avx512_bf16\n", True),  # EPYC since Zen 4
        ("flags\t\t: fpu sse4_2 avx2 f16c\n", False),  # EPYC before
        ("Features\t: fp asimd i8mm bf16 dgh\n", True),  # Neoverse V1
        ("Features\t: fp asimd asimddp\n", False),  # Neoverse N1
    ],
)
def test_bf16_instructions_are_among_the_flags(line: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: some bf16-less\n{line}")
    assert has_bf16(tmp_path / "cpuinfo") is expected


def test_where_the_system_tells_nothing_nobody_is_warned(tmp_path: Path) -> None:
    assert has_bf16(tmp_path / "missing")


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
@pytest.mark.parametrize("native", [True, False])
def test_emulated_bf16_is_one_line_before_the_training(
    precision: str,
    native: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(train, "has_bf16", lambda: native)
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

    monkeypatch.setattr(train, "has_bf16", lambda: native)
    monkeypatch.setattr(EmulatedBF16, "__enter__", watched)
    words = ["data=mnist_5k", "trainer.accelerator=cpu", "trainer.precision=bf16-mixed"]
    short = ["+trainer.limit_train_batches=2", "recipe.max_epochs=1", f"runs={tmp_path}"]
    run = mnist_arch.train("dense", overrides=[*words, *short])
    assert run.record.device.endswith("bf16 emulated") is not native
    assert len(entered) == (not native)
