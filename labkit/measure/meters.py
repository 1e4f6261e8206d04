"""Energy counters of the hardware: RAPL through Linux powercap, NVML for NVIDIA boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Meter:
    """A counter of joules that wraps around at `wraps_at` (None: never)."""

    name: str
    read: Callable[[], float]
    covers_cpu: bool
    wraps_at: float | None = None

    def between(self, before: float, after: float) -> float:
        """Joules between two readings, one wrap-around allowed for.

        >>> Meter("example", lambda: 0.0, True, wraps_at=100.0).between(90.0, 5.0)
        15.0
        """
        if after < before and self.wraps_at is not None:
            return after + self.wraps_at - before
        return after - before


def find_meters() -> tuple[Meter, ...]:
    """Every counter of this machine that this user may read; empty on most virtual machines."""
    return (*rapl_meters(POWERCAP), *_nvml_meters())


def rapl_meters(root: Path) -> list[Meter]:
    """One meter a processor package below `root` (the layout of /sys/class/powercap).

    Only the packages: their cores and memory controllers appear as domains of their own inside and would count twice.
    """
    found = []
    for domain in sorted(root.glob("intel-rapl:*")):
        counter = domain / "energy_uj"
        try:
            name = (domain / "name").read_text(encoding="ascii").strip()
            wraps_at = int((domain / "max_energy_range_uj").read_text(encoding="ascii")) * 1e-6
            _microjoules(counter)
        except (OSError, ValueError):
            continue
        if name.startswith("package"):
            found.append(Meter(f"RAPL {name}", lambda path=counter: _microjoules(path), True, wraps_at))
    return found


def _microjoules(counter: Path) -> float:
    return int(counter.read_text(encoding="ascii")) * 1e-6


def _nvml_meters() -> list[Meter]:
    """One meter a board; none without the extra `gpu`, without a driver, or where the board does not count."""
    try:
        import pynvml
    except ImportError:
        return []
    found = []
    try:
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # raises before Volta
            read = lambda h=handle: pynvml.nvmlDeviceGetTotalEnergyConsumption(h) * 1e-3  # noqa: E731  bound per board
            found.append(Meter(f"NVML board {index}", read, False))
    except pynvml.NVMLError:
        return found
    return found
