"""The ceilings of a CPU: bandwidth curves, matrix peaks, the levels they belong to, and whether it was quiet."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from labkit.measure import quiet
from labkit.measure.bandwidth import measure_bandwidth, working_sets
from labkit.measure.ceiling_report import Capacity, Ceilings
from labkit.measure.clocks import Clock, WallClock
from labkit.measure.machines import Machine
from labkit.measure.peaks import CPU_PRODUCTS, measure_peaks
from labkit.measure.progress import progress
from labkit.measure.threads import all_threads


def measure_cpu(card: Machine, clock: Clock | None = None) -> Ceilings:
    """Measure this CPU on one thread and on all; about ten seconds."""
    clock, threads = clock or WallClock(), all_threads()
    counts = sorted({1, threads})
    before = quiet.snapshot()
    sizes = working_sets(card.memory_bytes, card.last_level_cache_bytes)
    points, spread = measure_bandwidth(sizes, counts, clock, watch=_bar("bandwidth"))
    peaks, blocked = measure_peaks(CPU_PRODUCTS, counts, clock, watch=_bar("matrix peaks"))
    calm, note = quiet.judge(quiet.others(before, quiet.snapshot()), spread)
    return Ceilings(
        device="cpu",
        name=card.processor or card.architecture,
        fingerprint=card.fingerprint,
        threads=threads,
        points=tuple(points),
        peaks=tuple(peaks),
        capacities=tuple(c for count in counts for c in capacities(card, count, sizes[-1])),
        quiet=calm,
        quiet_note=note,
        blocked=tuple(blocked),
    )


def capacities(card: Machine, threads: int, largest: int) -> list[Capacity]:
    """The levels from L2 to memory as `threads` threads share them. L1 is left out: no operator call is that short."""
    found, below = [], 0
    for cache in card.caches:
        size = min(cache.bytes_each * threads, cache.bytes_total)
        if cache.name != "L1d":
            found.append(Capacity(threads, cache.name, size, max(1, min(4 * below, size // 2))))
        below = size
    return [*found, Capacity(threads, "memory", card.memory_bytes, largest)]


def _bar(description: str) -> partial[Iterable]:
    return partial(progress, description=description)
