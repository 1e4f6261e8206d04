"""The percentile bootstrap of a median: how far a ratio could be off, from the samples alone.

Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979). No assumption of a normal
distribution, which times never follow: they have a floor and a long tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A median and the interval that holds the true one with the confidence asked for."""

    median: float
    low: float
    high: float


def median_interval(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval:
    """The median of `values` with its bootstrap interval; the same seed gives the same interval.

    Raises `ValueError` for no values or a confidence outside (0, 1).

    >>> median_interval([2.0, 2.0, 2.0, 2.0])
    Interval(median=2.0, low=2.0, high=2.0)
    """
    if len(values) == 0:
        raise ValueError("A median needs at least one value.")
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence lies between 0 and 1; got {confidence}.")
    sample = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(resamples, len(sample)))
    medians = np.median(sample[drawn], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return Interval(float(np.median(sample)), float(low), float(high))
