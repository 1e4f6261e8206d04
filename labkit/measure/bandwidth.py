"""Bandwidth of a CPU by working-set size, with PyTorch's own operators: what a tensor program can reach here at best.

Four patterns after McCalpin's STREAM (1995): read, copy, triad and in-place update. A start of an operator costs about
a microsecond, more than a cache-sized pass over memory takes, so one call makes many passes over the same bytes:

- read: a sum over a view whose pass dimension has stride 0;
- the writers: views whose passes slide by one cache line, because PyTorch refuses to write through stride 0.

Each thread gets its own part of the working set, as it would in a parallel loop. `benches.py` holds these numbers
against a STREAM program in C.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float

from labkit.measure.ceiling_report import KINDS, BandwidthPoint
from labkit.measure.clocks import Clock
from labkit.measure.threads import torch_threads

CACHE_LINE = 16  # float32 elements in 64 bytes
PASS_ELEMENTS = 1 << 20  # about what one call should touch: its start is then under 3 % of its time
Buffer = Float[torch.Tensor, "elements"]


@dataclass(frozen=True)
class Cell:
    """One number to find: a pattern at a working-set size on a number of threads."""

    threads: int
    working_set_bytes: int
    kind: str


def working_sets(memory_bytes: int, last_level_cache_bytes: int | None) -> list[int]:
    """Powers of two from 64 KiB to four times the last cache, at least 256 MiB, at most 4 GiB or 1/8 of memory.

    >>> [size >> 20 for size in working_sets(16 << 30, 32 << 20)][-3:]
    [64, 128, 256]
    """
    wanted = max(4 * (last_level_cache_bytes or 0), 256 << 20)
    largest = max(min(wanted, 4 << 30, memory_bytes // 8), 1 << 20)
    return [1 << power for power in range(16, largest.bit_length())]


def measure_bandwidth(
    sizes: Sequence[int],
    thread_counts: Sequence[int],
    clock: Clock,
    *,
    rounds: int = 3,
    seconds: float = 0.01,
    watch: Callable[[Iterable], Iterable] = iter,
) -> tuple[list[BandwidthPoint], float]:
    """The curve for each thread count, and the spread: how far the median round lies above the best (1.0: not at all).

    Every cell is visited once a round, so that a burst of other work spoils one visit and not the cell.
    """
    buffer = torch.ones(max(sizes) // 4, dtype=torch.float32)
    cells = [Cell(t, s, k) for t in thread_counts for s in sizes for k in KINDS]
    found: dict[Cell, list[float]] = {cell: [] for cell in cells}
    for cell in watch([cell for _ in range(rounds) for cell in cells]):
        with torch_threads(cell.threads):
            run, moved = pattern(buffer, cell)
            found[cell].append(moved / best_time(run, clock, seconds))
    spread = statistics.median(max(rates) / statistics.median(rates) for rates in found.values())
    best = {cell: max(rates) for cell, rates in found.items()}
    points = [BandwidthPoint(t, s, **{k: best[Cell(t, s, k)] for k in KINDS}) for t in thread_counts for s in sizes]
    return points, spread


def best_time(run: Callable[[], object], clock: Clock, seconds: float) -> float:
    """The shortest of the calls that fit into `seconds`, after one that warms up; at least two."""
    run()
    best = spent = clock.time(run, 1)
    while True:
        taken = clock.time(run, 1)
        best, spent = min(best, taken), spent + taken
        if spent >= seconds:
            return best


def pattern(buffer: Buffer, cell: Cell) -> tuple[Callable[[], object], int]:
    """A call that runs the cell's pattern over the first bytes of `buffer`, and the bytes it reads and writes."""
    elements, threads = cell.working_set_bytes // 4, cell.threads
    if cell.kind == "read":
        part = elements // threads
        passes = max(1, PASS_ELEMENTS // part)
        view = buffer.as_strided((threads, passes, part), (part, 0, 1))
        return lambda: view.sum(-1), 4 * view.numel()
    if cell.kind == "copy":
        a, b = sliding_views(buffer, elements, threads, 2)
        return lambda: a.copy_(b), 8 * a.numel()
    if cell.kind == "triad":
        a, b, c = sliding_views(buffer, elements, threads, 3)
        return lambda: torch.add(b, c, alpha=1.5, out=a), 12 * a.numel()
    (a,) = sliding_views(buffer, elements, threads, 1)
    return lambda: torch.neg(a, out=a), 8 * a.numel()


def sliding_views(buffer: Buffer, elements: int, threads: int, arrays: int) -> list[torch.Tensor]:
    """`arrays` views of shape (threads, passes, length) that share no element and together span `elements`.

    The passes of one view overlap but for one cache line each; so few that the spans stay within an eighth of a part.
    """
    part = elements // threads // arrays // CACHE_LINE * CACHE_LINE
    passes = max(1, min(PASS_ELEMENTS // part, part // (8 * CACHE_LINE)))
    length = part - CACHE_LINE * (passes - 1)
    shape, strides = (threads, passes, length), (part * arrays, CACHE_LINE, 1)
    return [buffer.as_strided(shape, strides, array * part) for array in range(arrays)]
