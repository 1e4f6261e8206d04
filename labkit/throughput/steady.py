"""Which part of a run is neither warming up nor draining: the part that repeats if one only waits longer.

A run starts with an empty server and, where arrivals stop, ends with an emptying one. Both look better than the service
is. Where the start ends is found from the latencies themselves, and where it does not end the service cannot keep up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.throughput.metrics import end_to_end_latency
from labkit.throughput.record import Run

BATCH = 5


@dataclass(frozen=True)
class Window:
    """What happens in [start, end) seconds is counted; `steady` is False where the run never settled."""

    start: float
    end: float
    steady: bool

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def __contains__(self, instant: float) -> bool:
        return self.start <= instant < self.end


def mser5(values: Sequence[float]) -> tuple[int, bool]:
    """How many of `values` to cut off as warm-up, and whether the rest looks steady: MSER-5.

    Means of batches of five; of all places to cut, the one after which the standard error of the mean of what is left
    is least, sum((z - mean)^2) / k^2 over the k batches left (White, Simulation 69, 1997; in batches of five: White,
    Cobb and Spratt, Winter Simulation Conference 2000). A least value in the second half says that too little was
    measured or that there is no steady state; then half is cut.

    >>> mser5([9.0] * 10 + [1.0, 2.0, 1.0, 2.0, 1.0] * 10)
    (10, True)
    """
    batches = np.asarray(values[: len(values) // BATCH * BATCH], dtype=float).reshape(-1, BATCH).mean(1)
    if len(batches) < 4:
        return 0, False
    left = np.arange(len(batches), 0, -1)
    # Sums from each place to the end give the variance of every remainder at once; centred first, or rounding eats it.
    centred = batches - batches.mean()
    sums, squares = centred[::-1].cumsum()[::-1], (centred**2)[::-1].cumsum()[::-1]
    errors = (squares - sums**2 / left) / left**2
    allowed = len(batches) - 2  # two batches or one always agree with themselves
    # The first of equals: a spread of a billionth of the mean is rounding.
    lowest = errors[:allowed].min() + 1e-12 * errors[0] + 1e-18 * batches.mean() ** 2
    cut = int((errors[:allowed] <= lowest).argmax())
    half = len(batches) // 2
    return BATCH * min(cut, half), cut <= half


def steady_window(run: Run) -> Window:
    """From where end-to-end latencies settle to the last arrival; raises `ValueError` where nothing was completed.

    Where all is asked at once there is no such stretch: then the whole run, called unsteady.
    """
    answered = run.completed
    if not answered:
        first = next((r.error for r in run.records if r.error), "")
        raise ValueError(f"Not one of {len(run.records)} requests was completed. The first error: {first}")
    cut, steady = mser5([end_to_end_latency(record) for record in answered])
    start, end = answered[cut].scheduled if cut else 0.0, run.records[-1].scheduled
    return Window(start, end, steady) if end > start else Window(0.0, run.seconds, steady=False)
