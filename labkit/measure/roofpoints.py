"""The points of a roofline plot: operators of one kind and like intensity, summed."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2
from typing import TYPE_CHECKING

from labkit.measure.ceiling_report import Ceilings

if TYPE_CHECKING:
    from labkit.measure.traced import Trace


@dataclass
class Point:
    """Sums over some operators; only timed operators of known cost."""

    name: str
    flops: int = 0
    nbytes: int = 0
    seconds: float = 0.0

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flops / self.nbytes

    @property
    def performance(self) -> float:
        """FLOP/s."""
        return self.flops / self.seconds

    @property
    def throughput(self) -> float:
        """B/s."""
        return self.nbytes / self.seconds


@dataclass(frozen=True)
class Bound:
    """Shares of the known, timed work: spent below the ridge, beyond it, and what of the time the limit explains."""

    memory: float
    compute: float
    of_roofline: float


def points(trace: Trace) -> list[Point]:
    """One point an operator and power of two of its intensity, the longest first; views move nothing and have none."""
    found: dict[tuple[str, int | None], Point] = {}
    for op in trace.ops:
        moved = (op.bytes_read or 0) + (op.bytes_written or 0)
        if op.unknown or not op.seconds or not moved:
            continue
        key = op.name, floor(log2(op.flops / moved)) if op.flops else None
        point = found.setdefault(key, Point(op.name))
        point.flops += op.flops or 0
        point.nbytes += moved
        point.seconds += op.seconds
    return sorted(found.values(), key=lambda p: p.seconds, reverse=True)


def bound(trace: Trace, ceilings: Ceilings) -> Bound:
    """Where the time of the operators goes, each judged by its own limit; views count as neither."""
    spent = {"memory": 0.0, "compute": 0.0}
    least = 0.0
    for op, limit in zip(trace.ops, trace.limits(ceilings), strict=True):
        if limit is not None and limit.seconds and op.seconds:
            spent[limit.bound] += op.seconds
            least += limit.seconds
    total = sum(spent.values())
    if not total:
        return Bound(0.0, 0.0, 0.0)
    return Bound(spent["memory"] / total, spent["compute"] / total, least / total)
