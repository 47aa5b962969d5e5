"""What this machine's processor can do."""

from pathlib import Path

BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # Linux's names of the instructions, the last on ARM


def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether it has instructions for bf16; taken for granted where the system does not tell."""
    try:
        return not BF16.isdisjoint(cpuinfo.read_text().split())
    except OSError:
        return True
