"""`energy()`: the joules a block of code took, measured where the hardware counts them, else a range from its work.

Intel and AMD processors count the energy of the package (RAPL) and NVIDIA boards their own (NVML). Both count the whole
device, other programs and idle power included. Where neither can be read (most virtual machines, most users without
privileges) the result is an estimate, says so, and is a range: never quote its middle as a measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labkit.measure.meters import Meter, find_meters
from labkit.measure.report import Report, Table, si

# Watts of one busy core, from processors' rated package power over their cores: about 3 W in many-core servers and
# low-power laptops (15 W / 4, 280 W / 64), up to about 12 W in desktops that clock high (253 W / 24, 125 W / 10).
WATTS_PER_BUSY_CORE = (3.0, 12.0)


@dataclass
class Energy(Report):
    """Filled when the block ends. `low` and `high` bound `joules`: all equal when measured, a range when estimated."""

    joules: float = 0.0
    low: float = 0.0
    high: float = 0.0
    measured: bool = False
    source: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def table(self) -> Table:
        bound = "" if self.measured else f" (estimate: {si(self.low, 'J')} to {si(self.high, 'J')})"
        rows = [
            ["energy", f"{si(self.joules, 'J')}{bound}"],
            ["wall time", si(self.seconds, "s")],
            ["processor time", si(self.cpu_seconds, "s")],
        ]
        return Table("Energy", ["quantity", "value"], rows, self.source)


@contextmanager
def energy(
    meters: tuple[Meter, ...] | None = None,
    wall: Callable[[], float] = time.perf_counter,
    cpu: Callable[[], float] = time.process_time,
) -> Iterator[Energy]:
    """The energy of a block; meters and clocks are found on this machine unless given.

    >>> seconds = iter([0.0, 10.0])
    >>> with energy(meters=(), wall=lambda: 0.0, cpu=lambda: next(seconds)) as used:
    ...     pass
    >>> used.low, used.joules, used.high, used.measured
    (30.0, 60.0, 120.0, False)
    """
    found = find_meters() if meters is None else meters
    result = Energy()
    before = [meter.read() for meter in found]
    wall_before, cpu_before = wall(), cpu()
    try:
        yield result
    finally:
        result.seconds, result.cpu_seconds = wall() - wall_before, cpu() - cpu_before
        taken = [meter.between(start, meter.read()) for meter, start in zip(found, before, strict=True)]
        _fill(result, found, taken)


def _fill(result: Energy, meters: tuple[Meter, ...], taken: list[float]) -> None:
    metered = sum(taken)
    names = ", ".join(meter.name for meter in meters)
    if any(meter.covers_cpu for meter in meters):
        result.joules = result.low = result.high = metered
        result.measured = True
        result.source = f"Measured by {names}: the whole device, other programs and idle power included."
        return
    low, high = (watts * result.cpu_seconds for watts in WATTS_PER_BUSY_CORE)
    result.low, result.high = metered + low, metered + high
    result.joules = metered + (low * high) ** 0.5
    plus = f" plus what {names} measured" if meters else ""
    result.source = (
        f"An estimate, not a measurement: processor seconds times {WATTS_PER_BUSY_CORE[0]:g} to "
        f"{WATTS_PER_BUSY_CORE[1]:g} W a busy core{plus}; no readable meter covers this processor."
    )
