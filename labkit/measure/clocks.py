"""Timers behind one small interface: the seconds that some calls of a function take.

Not a profiler. A clock is an argument everywhere, so that every algorithm on top of it is tested on a clock of known
drift and noise, and no test has to wait or hope.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

Run = Callable[[], object]


class Clock(Protocol):
    """Times `repeats` calls of a function; `resolution` is the smallest step it can tell, in seconds."""

    name: str
    resolution: float

    def time(self, run: Run, repeats: int) -> float: ...


class _Counter:
    """A clock that reads a counter of the host before and after."""

    def __init__(self, name: str, read: Callable[[], float]) -> None:
        self.name, self._read, self.resolution = name, read, observed_resolution(read)

    def time(self, run: Run, repeats: int) -> float:
        start = self._read()
        for _ in range(repeats):
            run()
        return self._read() - start


class WallClock(_Counter):
    """Elapsed time: right for several threads, and disturbed by whatever else the machine does."""

    def __init__(self) -> None:
        super().__init__("wall time", time.perf_counter)


class ThreadClock(_Counter):
    """Processor time of the calling thread: other processes hardly disturb it; work of other threads is not in it."""

    def __init__(self) -> None:
        super().__init__("thread time", time.thread_time)


class CudaClock:
    """Time between two CUDA events on the current stream: the GPU's own, launches overlapped as in real use."""

    name = "CUDA events"
    resolution = 1e-6  # the CUDA runtime documents about half a microsecond for cudaEventElapsedTime

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ValueError("A CUDA clock needs a CUDA device, and torch sees none.")
        self._cuda = torch.cuda

    def time(self, run: Run, repeats: int) -> float:
        start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3


def observed_resolution(read: Callable[[], float], steps: int = 5) -> float:
    """The smallest of a few steps the counter was seen to make: what an operating system declares can be finer.

    >>> ticks = iter(range(100))
    >>> observed_resolution(lambda: next(ticks) // 10 * 0.015)
    0.015
    """
    smallest = float("inf")
    for _ in range(steps):
        first = now = read()
        while now == first:
            now = read()
        smallest = min(smallest, now - first)
    return smallest


def repeats_for(clock: Clock, run: Run, seconds: float) -> int:
    """How many calls of `run` take at least `seconds` and a hundred steps of the clock, so that a sample means much."""
    target, repeats = max(seconds, 100 * clock.resolution), 1
    while (taken := clock.time(run, repeats)) < target:
        # Grow by what is missing, at most tenfold: the first calls of a function are its slowest.
        growth = 10.0 if taken <= 0 else min(10.0, 1.2 * target / taken)
        repeats = max(repeats + 1, int(repeats * growth))
    return repeats


def work_elsewhere(run: Run, seconds: float = 0.01) -> float:
    """The share of this process's processor time during some calls of `run` that other threads than this one spent."""
    process, thread = time.process_time(), time.thread_time()
    end = time.perf_counter() + seconds
    run()
    while time.perf_counter() < end:
        run()
    process, thread = time.process_time() - process, time.thread_time() - thread
    return max(0.0, 1 - thread / process) if process > 0 else 0.0
