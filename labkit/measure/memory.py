"""`peak_memory()`: the most memory a block of code held, of the process and of the GPU.

On Linux the kernel keeps the peak itself (VmHWM in /proc/self/status, which a write to clear_refs sets back), so no
short peak is missed. Elsewhere, and where that write is forbidden, a thread looks every two milliseconds and can miss
one; the result says which it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.measure.highwater import HighWater, Sampler
from labkit.measure.report import Report, Table, si

SELF = Path("/proc/self")
PERIOD = 0.002  # seconds
KERNEL = "The peak is the kernel's own mark (VmHWM)."
SAMPLED = f"The peak is the highest of looks {1000 * PERIOD:g} ms apart; a shorter one can be missed."


@dataclass
class PeakMemory(Report):
    """Filled when the block ends. `cuda_peak_bytes` is None where no GPU was in use when the block began."""

    before_bytes: int = 0
    peak_bytes: int = 0
    increase_bytes: int = 0
    cuda_peak_bytes: int | None = None
    source: str = ""

    def table(self) -> Table:
        rows = [
            ["process at the start", si(self.before_bytes, "B")],
            ["process at the peak", si(self.peak_bytes, "B")],
            ["increase", si(self.increase_bytes, "B")],
            ["GPU tensors at the peak", si(self.cuda_peak_bytes, "B")],
        ]
        return Table("Peak memory", ["memory", "bytes"], rows, self.source)


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Measure the peak of a block, of all threads of this process; blocks may be nested.

    >>> with peak_memory() as peak:
    ...     block = bytearray(64 << 20)
    >>> peak.increase_bytes >= 60 << 20
    True
    """
    result = PeakMemory(before_bytes=_resident())
    cuda = _CUDA.open() if _cuda_in_use() else None
    kernel, sampler = _kernel_mark(), None
    if kernel is None:
        sampler = Sampler(_resident, PERIOD)
    try:
        yield result
    finally:
        peak = _PROCESS.close(kernel) if sampler is None else sampler.close()
        result.peak_bytes = max(peak, result.before_bytes)
        result.increase_bytes = result.peak_bytes - result.before_bytes
        result.source = KERNEL if sampler is None else SAMPLED
        if cuda is not None:
            result.cuda_peak_bytes = _CUDA.close(cuda)


def _kernel_mark() -> object | None:
    """A token of the kernel's mark, or None where it keeps none or does not let us set it back."""
    try:
        return _PROCESS.open()
    except (OSError, ValueError):
        return None


def _resident() -> int:
    import psutil

    return psutil.Process().memory_info().rss


def _read_mark() -> int:
    text = (SELF / "status").read_text(encoding="ascii", errors="replace")
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise ValueError("This kernel keeps no VmHWM.")


def _reset_mark() -> None:
    (SELF / "clear_refs").write_text("5", encoding="ascii")  # 5: reset the peak resident set size, see proc(5)


def _cuda_in_use() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()


def _cuda_peak() -> int:
    return sys.modules["torch"].cuda.max_memory_allocated()


def _cuda_reset() -> None:
    sys.modules["torch"].cuda.reset_peak_memory_stats()


# The marks themselves are one a process: kernel and driver hold this state, these only keep its readers apart.
_PROCESS = HighWater(_read_mark, _reset_mark)
_CUDA = HighWater(_cuda_peak, _cuda_reset)
