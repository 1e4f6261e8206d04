"""Was the machine quiet while we measured? Told from what other programs used, and from how much repeats differ.

The load average is too slow for ten seconds, so two direct signs are taken: processor time of everybody minus our own,
and the best round against the median one. Either alone is enough to say so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

OTHERS_PROCESSORS = 0.25  # processors' worth of work by other programs
SPREAD = 1.15  # the median round this much slower than the best


@dataclass(frozen=True)
class Snapshot:
    """Processor seconds at one moment: of the whole machine, of this process; and the wall clock."""

    machine: float
    own: float
    wall: float


def snapshot() -> Snapshot:
    """Processor time until now; time stolen by a hypervisor counts as used by others, since nobody here had it."""
    import psutil

    times = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # Linux counts guest time a second time under user
    return Snapshot(sum(v for k, v in times.items() if k not in idle), time.process_time(), time.perf_counter())


def others(before: Snapshot, after: Snapshot) -> float:
    """How many processors other programs kept busy, on average, between two snapshots."""
    wall = max(after.wall - before.wall, 1e-9)
    return max(0.0, (after.machine - before.machine) - (after.own - before.own)) / wall


def judge(others_processors: float, spread: float) -> tuple[bool, str]:
    """Whether the machine was quiet, and a sentence to print beside the numbers.

    >>> judge(0.02, 1.03)
    (True, 'The machine was quiet while this was measured.')
    >>> judge(1.4, 1.02)
    (False, 'The machine was not quiet (other programs kept 1.4 processors busy); refresh=True measures again.')
    """
    signs = []
    if others_processors > OTHERS_PROCESSORS:
        signs.append(f"other programs kept {others_processors:.1f} processors busy")
    if spread > SPREAD:
        signs.append(f"repeats of one measurement differed by {100 * (spread - 1):.0f} %")
    if not signs:
        return True, "The machine was quiet while this was measured."
    return False, f"The machine was not quiet ({' and '.join(signs)}); refresh=True measures again."
