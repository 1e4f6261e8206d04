"""`compare()`: is the candidate faster than the baseline, by how much, and how sure is that?

Not a benchmark of absolute times: those move with the machine's mood. Ratios of alternated samples in one run do not.
Each round takes samples in the order A B B A, so that a machine that warms up or slows down at a steady rate weighs on
both alike; the median over rounds ignores the rounds that something else disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Literal

from labkit.measure.agreement import Check, require_agreement
from labkit.measure.bootstrap import median_interval
from labkit.measure.clocks import Clock, CudaClock, ThreadClock, WallClock, repeats_for, work_elsewhere
from labkit.measure.comparison_report import Comparison
from labkit.measure.machines import machine
from labkit.measure.operands import cloned, rotated, tensors_in
from labkit.measure.progress import progress
from labkit.measure.threads import torch_threads

SAMPLE_SECONDS = 2e-3


def compare(
    baseline: Callable[..., Any],
    candidate: Callable[..., Any],
    *args: Any,
    check: Check = "allclose",
    rotate: Callable[[int], tuple] | None = None,
    threads: int | Literal["all"] = 1,
    rounds: int = 25,
    names: tuple[str, str] = ("baseline", "candidate"),
    clock: Clock | None = None,
    seed: int = 0,
) -> Comparison:
    """The speed of `candidate(*args)` against `baseline(*args)`: median ratio of times, with a 95 % interval.

    Outputs are checked first (see `agreement.require_agreement`) on copies of the operands; then each function is
    warmed up until one sample is well above the resolution of the clock; then `rounds` rounds are timed. On the CPU
    one thread is timed by its own processor time, more by the wall clock; operands or outputs on a GPU by CUDA events.

    `rotate(i)` makes operand set number i in place of `args`: as many sets are made as overflow the last-level cache
    twice, and both functions walk through them. Raises `OutputsDiffer` if the check refuses, `ValueError` for
    arguments that make no sense.
    """
    if rounds < 5:
        raise ValueError(f"A median with an interval needs at least 5 rounds; got {rounds}.")
    if rotate is not None and args:
        raise ValueError("Give the operands either as arguments or through rotate, not both.")
    if threads != "all" and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be 1 or more, or 'all'; got {threads!r}.")
    sets = [args] if rotate is None else _sets(rotate)
    with torch_threads(None if threads == "all" else threads) as count:
        outputs = [function(*cloned(sets[0])) for function in (baseline, candidate)]
        checked = require_agreement(*outputs, check)
        clock = clock or _clock_for((sets[0], outputs), threads)
        runs = [_walking(function, sets) for function in (baseline, candidate)]
        repeats = [max(repeats_for(clock, run, SAMPLE_SECONDS), len(sets)) for run in runs]
        if isinstance(clock, ThreadClock):
            _refuse_hidden_work(runs, names)
        samples = _alternate(clock, runs, repeats, rounds)
    ratios = [(a0 + a1) / (b0 + b1) for a0, b0, b1, a1 in samples]
    interval = median_interval(ratios, seed=seed)
    return Comparison(
        names=names,
        ratio=interval.median,
        low=interval.low,
        high=interval.high,
        baseline_seconds=median_interval([t for a0, _, _, a1 in samples for t in (a0, a1)], seed=seed).median,
        candidate_seconds=median_interval([t for _, b0, b1, _ in samples for t in (b0, b1)], seed=seed).median,
        ratios=tuple(ratios),
        repeats=(repeats[0], repeats[1]),
        operand_sets=len(sets),
        threads=count,
        clock=clock.name,
        checked=checked,
    )


def _clock_for(touched: tuple, threads: int | Literal["all"]) -> Clock:
    if any(t.is_cuda for t in tensors_in(touched)):
        return CudaClock()
    return ThreadClock() if threads == 1 else WallClock()


def _sets(rotate: Callable[[int], tuple]) -> list[tuple]:
    import psutil

    first, card = rotate(0), machine()
    if not isinstance(first, tuple):
        raise ValueError(f"rotate(i) must return a tuple of operands; got {type(first).__name__}.")
    if card.gpu and any(t.is_cuda for t in tensors_in(first)):
        return rotated(first, rotate, card.gpu.l2_bytes, card.gpu.memory_bytes // 2)
    return rotated(first, rotate, card.last_level_cache_bytes, psutil.virtual_memory().available // 2)


def _refuse_hidden_work(runs: Sequence[Callable[[], object]], names: tuple[str, str]) -> None:
    for run, name in zip(runs, names, strict=True):
        # A pool that served an earlier call may spin for a while: only work that goes on is the function's own.
        if all(work_elsewhere(run) > 0.5 for _ in range(10)):
            raise ValueError(f"{name} works in threads of its own, which thread time does not see; pass threads='all'.")


def _walking(function: Callable[..., Any], sets: Sequence[tuple]) -> Callable[[], object]:
    """A call of no arguments that takes the next operand set each time; with one set, nothing stands in between."""
    if len(sets) == 1:
        return partial(function, *sets[0]) if sets[0] else function
    following = cycle(sets)
    return lambda: function(*next(following))


def _alternate(
    clock: Clock, runs: Sequence[Callable[[], object]], repeats: Sequence[int], rounds: int
) -> list[tuple[float, ...]]:
    """Seconds per call of each A, B, B, A of each round."""
    order = (0, 1, 1, 0)
    return [
        tuple(clock.time(runs[which], repeats[which]) / repeats[which] for which in order)
        for _ in progress(range(rounds), "compare")
    ]
