"""A bootstrap interval for any statistic of questions, where `labkit.evaluation.intervals` has none of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from labkit.evaluation.intervals import CONFIDENCE, RESAMPLES, Estimate


def bootstrap(statistic: Callable[..., float], *columns: Sequence[float], seed: int = 0) -> Estimate:
    """`statistic(*columns)` with a percentile bootstrap over questions: row n of every column belongs to question n.

    Efron (1979), as in `labkit.evaluation.intervals`. Resamples in which the statistic is NaN are left out. Raises
    `ValueError` for no questions or columns of unequal length.

    >>> bootstrap(lambda x: float(x.mean()), [2.0, 2.0, 2.0])
    Estimate(value=2.0, low=2.0, high=2.0, count=3)
    """
    rows = [np.asarray(column, dtype=float) for column in columns]
    count = len(rows[0])
    if count == 0 or any(len(row) != count for row in rows):
        raise ValueError(f"A bootstrap needs columns of one length, at least 1; got {[len(row) for row in rows]}.")
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(count, size=count) for _ in range(RESAMPLES))
    values = [statistic(*(row[places] for row in rows)) for places in drawn]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail]) if not np.isnan(values).all() else (np.nan, np.nan)
    return Estimate(float(statistic(*rows)), float(low), float(high), count)
