"""What a machine can do at best: the result of `ceilings()`, and the questions a roofline asks of it.

Only data and lookups. How the numbers are found stands in `bandwidth.py`, `peaks.py` and `ceiling_cuda.py`; when they
are measured and when read from the cache, in `ceiling.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from labkit.measure.report import Report, Table, si

if TYPE_CHECKING:
    from labkit.measure.figure import Figure

Kind = Literal["best", "read", "copy", "triad", "update"]
LARGEST = 1 << 62  # bytes; a working set past every cache
KINDS = ("read", "copy", "triad", "update")


@dataclass(frozen=True)
class BandwidthPoint:
    """Best rates seen at one working-set size, in B/s, counting each tensor an operation reads or writes once.

    read: a sum; copy: a = b; triad: a = b + s c; update: a = -a in place, which spares the memory system the read of
    the line it overwrites and is often the fastest of the four.
    """

    threads: int
    working_set_bytes: int
    read: float
    copy: float
    triad: float
    update: float

    def rate(self, kind: Kind) -> float:
        if kind == "best":
            return max(getattr(self, k) for k in KINDS)
        return getattr(self, kind)


@dataclass(frozen=True)
class Peak:
    """The best rate of a matrix product in one dtype: FLOP/s (operations/s for int8), and the shape that reached it."""

    dtype: str
    threads: int
    flops: float
    shape: tuple[int, int, int]
    operator: str


@dataclass(frozen=True)
class Level:
    """One level of the memory hierarchy: what fits in it, and the best rate of a working set that does."""

    name: str
    capacity_bytes: int
    bandwidth: float


@dataclass(frozen=True)
class Capacity:
    """What `threads` threads can keep in one level, and the working set at which its bandwidth is read: several times
    the level below it, so that little of it hides there, and at most half of this one, so that it surely fits."""

    threads: int
    name: str
    capacity_bytes: int
    probe_bytes: int


@dataclass(frozen=True)
class Ceilings(Report):
    """Rates this machine reached, best of many. `threads=None` means all; a GPU has no thread count and ignores it.

    Measured on one thread and on all; between them the ceiling is the smaller of `threads` times one thread and all
    threads. `blocked` holds a sentence for each rate that could not be measured here.
    """

    device: str
    name: str
    fingerprint: str
    threads: int
    points: tuple[BandwidthPoint, ...]
    peaks: tuple[Peak, ...]
    capacities: tuple[Capacity, ...]
    quiet: bool
    quiet_note: str
    blocked: tuple[str, ...] = ()

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels for all threads, smallest first; the last is "memory"."""
        return self.levels_at(None)

    def levels_at(self, threads: int | None = None, kind: Kind = "best") -> tuple[Level, ...]:
        """The levels as `threads` threads see them: one thread has one core's L2, all threads have every core's."""
        measured = 1 if self._count(threads) == 1 else self.threads
        return tuple(
            Level(c.name, c.capacity_bytes, self.bandwidth(c.probe_bytes, threads, kind))
            for c in self.capacities
            if c.threads == measured
        )

    def bandwidth(self, working_set_bytes: int, threads: int | None = None, kind: Kind = "best") -> float:
        """B/s that a working set of this size can move at best; `kind="read"` for code that hardly writes.

        Interpolated in the logarithm of the size. The curve never rises with size: a smaller set can always do what a
        larger one did, even where the cost of starting an operation hides it.
        """
        count = self._count(threads)
        one, every = self._curve(1, kind), self._curve(self.threads, kind)
        if count == 1:
            return _interpolate(one, working_set_bytes)
        both = _interpolate(every, working_set_bytes)
        if count >= self.threads:
            return both
        single = _interpolate(one, working_set_bytes)
        return max(single, min(count * single, both))

    def peak(self, dtype: Any, threads: int | None = None) -> float | None:
        """FLOP/s of the best matrix product in `dtype` (a torch.dtype or its name); None where none was measured."""
        name, count = str(dtype).removeprefix("torch."), self._count(threads)
        best = {p.threads: p.flops for p in self.peaks if p.dtype == name}
        one, every = best.get(1), best.get(self.threads)
        if count == 1 or one is None:
            return one
        return every if every is None or count == self.threads else max(one, min(count * one, every))

    def table(self) -> Table:
        counts = [1] if self.threads == 1 else [1, self.threads]
        heads = ["GPU"] if self.device == "cuda" else [f"{c} thread{'s' if c > 1 else ''}" for c in counts]
        rows: list[list[str]] = []
        for i, level in enumerate(self.levels_at(1)):
            cells = [si(self.levels_at(c)[i].bandwidth, "B/s") for c in counts]
            rows.append([f"{level.name} bandwidth", *cells])
        for kind in KINDS:
            rows.append([f"memory {kind}", *(si(self.bandwidth(LARGEST, c, kind), "B/s") for c in counts)])
        for dtype in dict.fromkeys(p.dtype for p in self.peaks):
            unit = "op/s" if dtype == "int8" else "FLOP/s"
            rows.append([f"{dtype} matrix peak", *(si(self.peak(dtype, c), unit) for c in counts)])
        return Table(f"Ceilings of {self.name}", ["ceiling", *heads], rows, " ".join([self.quiet_note, *self.blocked]))

    def plot(self, threads: int | None = None) -> Figure:
        """Bandwidth by working-set size on one thread or on all."""
        from labkit.measure.ceiling_figure import bandwidth_figure

        return bandwidth_figure(self, threads)

    def _count(self, threads: int | None) -> int:
        if threads is None or self.device == "cuda":
            return self.threads
        if threads < 1:
            raise ValueError(f"threads must be 1 or more, or None for all; got {threads}.")
        return min(threads, self.threads)

    def _curve(self, threads: int, kind: Kind) -> list[tuple[int, float]]:
        points = sorted((p.working_set_bytes, p.rate(kind)) for p in self.points if p.threads == threads)
        best, curve = 0.0, []
        for size, rate in reversed(points):
            best = max(best, rate)
            curve.append((size, best))
        return curve[::-1]


def _interpolate(curve: list[tuple[int, float]], size: int) -> float:
    if size < 0:
        raise ValueError(f"A working set cannot have {size} bytes.")
    sizes = [s for s, _ in curve]
    i = bisect_left(sizes, size)
    if i == 0 or i == len(curve):
        return curve[min(i, len(curve) - 1)][1]
    (s0, r0), (s1, r1) = curve[i - 1], curve[i]
    share = (math.log(size) - math.log(s0)) / (math.log(s1) - math.log(s0))
    return r0 + share * (r1 - r0)
