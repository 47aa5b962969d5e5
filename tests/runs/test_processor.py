"""What Linux tells of a processor, in lines of its /proc/cpuinfo."""

from pathlib import Path

import pytest

from mnist_arch.runs.processor import has_bf16


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


def test_where_the_system_says_nothing_bf16_is_taken_for_granted(tmp_path: Path) -> None:
    assert has_bf16(tmp_path / "missing")
