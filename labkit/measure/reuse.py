"""How far back each operand was last touched, in bytes: the reuse distance, which tells the cache that still holds it.

A cache of C bytes with least-recently-used replacement holds an operand if at most C distinct bytes, its own included,
were touched since its last use (Mattson, Gecsei, Slutz and Traiger, "Evaluation techniques for storage hierarchies",
IBM Systems Journal 1970). Memory is known by address: a buffer that was freed and given out again is the same lines of
cache, and views of one storage are told apart. Real caches have sets, prefetchers and neighbours, so this is the least
that memory must deliver and not a count of misses.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from labkit.measure.costs.spec import Region


class Piece(NamedTuple):
    """`nbytes` of an access whose last use lies `distance` bytes back; infinite for a first use."""

    distance: float
    nbytes: float


def reuse_distances(accesses: Sequence[Region], cold: bool = False) -> list[list[Piece]]:
    """The pieces of each access, in order. Unless `cold`, the sequence is taken as one turn of a loop.

    >>> a, b = Region(0, 100, 100), Region(1000, 50, 50)
    >>> reuse_distances([a, b, a], cold=True)[2]
    [Piece(distance=150, nbytes=100)]
    >>> reuse_distances([a, b])[0]
    [Piece(distance=150, nbytes=100)]
    """
    turns = 1 if cold else 2
    history = _History(turns * len(accesses))
    pieces: list[list[Piece]] = []
    for _ in range(turns):
        pieces = [history.touch(region) for region in accesses]
    return pieces


class _Segment(NamedTuple):
    end: int
    time: int
    nbytes: float


class _History:
    """Disjoint segments of the address space with the time of their last touch, and the bytes touched at each time."""

    def __init__(self, length: int) -> None:
        self._starts: list[int] = []
        self._segments: dict[int, _Segment] = {}
        self._bytes = _Fenwick(length)
        self._looked_up: dict[tuple[int, int], tuple[int, float]] = {}
        self._now = -1

    def touch(self, region: Region) -> list[Piece]:
        self._now += 1
        if region.scattered:
            return self._look_up(region)
        start, end = region.address, region.address + region.span
        old = self._cut(start, end)
        for begin, segment in old:
            self._forget(begin, segment)
        density = region.nbytes / region.span
        pieces = [(self._since(s.time) + region.nbytes, (s.end - b) * density) for b, s in old]
        fresh = region.nbytes - sum(nbytes for _, nbytes in pieces)
        self._remember(start, _Segment(end, self._now, region.nbytes))
        return _combine([*pieces, (inf, fresh)])

    def _look_up(self, region: Region) -> list[Piece]:
        """Rows somewhere in a table leave its age as it was; a table never read whole is as old as its last look-up.

        The rows wanted next may be any, so the distance counts the whole table.
        """
        start, end, key = region.address, region.address + region.span, (region.address, region.span)
        density = region.nbytes / region.span
        last = self._looked_up.pop(key, None)
        if last:
            self._bytes.add(last[0], -last[1])
        pieces = [
            (self._since(s.time) + region.span, (min(s.end, end) - max(b, start)) * density)
            for b, s in self._overlapping(start, end)
        ]
        rest = region.nbytes - sum(nbytes for _, nbytes in pieces)
        pieces.append((self._since(last[0]) + region.span if last else inf, rest))
        self._looked_up[key] = (self._now, region.nbytes)
        self._bytes.add(self._now, region.nbytes)
        return _combine(pieces)

    def _since(self, time: int) -> float:
        """Bytes last touched after `time`."""
        return self._bytes.total - self._bytes.up_to(time)

    def _overlapping(self, start: int, end: int) -> list[tuple[int, _Segment]]:
        first = max(bisect_left(self._starts, start) - 1, 0)
        found = []
        for begin in self._starts[first : bisect_left(self._starts, end)]:
            segment = self._segments[begin]
            if segment.end > start:
                found.append((begin, segment))
        return found

    def _cut(self, start: int, end: int) -> list[tuple[int, _Segment]]:
        """The segments within [start, end), after splitting those that reach beyond."""
        for begin, segment in self._overlapping(start, end):
            for border in (start, end):
                if begin < border < segment.end:
                    self._split(begin, border)
                    begin, segment = border, self._segments[border]
        return self._overlapping(start, end)

    def _split(self, begin: int, border: int) -> None:
        segment = self._segments[begin]
        left = segment.nbytes * (border - begin) / (segment.end - begin)
        self._forget(begin, segment)
        self._remember(begin, _Segment(border, segment.time, left))
        self._remember(border, _Segment(segment.end, segment.time, segment.nbytes - left))

    def _remember(self, start: int, segment: _Segment) -> None:
        self._starts.insert(bisect_left(self._starts, start), start)
        self._segments[start] = segment
        self._bytes.add(segment.time, segment.nbytes)

    def _forget(self, start: int, segment: _Segment) -> None:
        del self._starts[bisect_left(self._starts, start)], self._segments[start]
        self._bytes.add(segment.time, -segment.nbytes)


class _Fenwick:
    """Prefix sums under point updates in logarithmic time (Fenwick 1994)."""

    def __init__(self, length: int) -> None:
        self._tree = [0.0] * (length + 1)
        self.total = 0.0

    def add(self, index: int, value: float) -> None:
        self.total += value
        index += 1
        while index < len(self._tree):
            self._tree[index] += value
            index += index & -index

    def up_to(self, index: int) -> float:
        index, result = index + 1, 0.0
        while index > 0:
            result += self._tree[index]
            index &= index - 1
        return result


def _combine(pieces: Iterable[tuple[float, float]]) -> list[Piece]:
    """Equal distances merged; what rounding left over is dropped."""
    by_distance: dict[float, float] = {}
    for distance, nbytes in pieces:
        distance = distance if distance == inf else round(distance)
        by_distance[distance] = by_distance.get(distance, 0) + nbytes
    return [Piece(d, n if n % 1 else int(n)) for d, n in by_distance.items() if n > 0.5]
