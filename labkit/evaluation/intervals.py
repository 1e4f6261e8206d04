"""How far a measured share or mean could be off, from the sample alone: 95 % intervals.

Shares get Wilson's interval, which stays honest near 0 and 1; everything else is bootstrapped over whole questions or
documents, because the tokens of one are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 4000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and the number of questions or documents behind it."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def share(successes: int, count: int) -> Estimate:
    """A share with Wilson's score interval (Wilson, 1927). Raises `ValueError` for no trials or too many successes.

    >>> print(share(8, 10))
    0.8 (0.4902 to 0.9433)
    """
    if not 0 <= successes <= count or count < 1:
        raise ValueError(
            f"A share needs at least one trial and no more successes than trials; got {successes}/{count}."
        )
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    p = successes / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (p * (1 - p) / count + z * z / (4 * count * count)) ** 0.5
    return Estimate(p, max(centre - half, 0.0), min(centre + half, 1.0), count)


def ratio_of_sums(sums: Sequence[float], weights: Sequence[float], seed: int = 0) -> Estimate:
    """sum(sums) / sum(weights) with a percentile bootstrap over the pairs; a mean if every weight is 1.

    Efron, "Bootstrap Methods: Another Look at the Jackknife" (1979). Raises `ValueError` for no pairs, unequal lengths
    or a weight that is not positive.

    >>> print(ratio_of_sums([2.0, 6.0, 4.0], [1, 3, 2]))  # the same ratio in each: nothing to be unsure of
    2 (2 to 2)
    """
    top, bottom = np.asarray(sums, dtype=float), np.asarray(weights, dtype=float)
    if len(top) == 0 or len(top) != len(bottom) or not (bottom > 0).all():
        raise ValueError(f"A ratio needs as many sums as positive weights; got {len(top)} and {len(bottom)}.")
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(top), size=len(top))
        ratios.append(top[drawn].sum() / bottom[drawn].sum())
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high), len(top))


def difference(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of `ours` minus `theirs`, question by question: paired, so shared difficulty cancels.

    Raises `ValueError` for no questions or unequal numbers.

    >>> print(difference([1, 1, 0], [0, 0, -1]))
    1 (1 to 1)
    """
    if len(ours) != len(theirs):
        raise ValueError(f"Paired values must match; got {len(ours)} and {len(theirs)}.")
    return ratio_of_sums(np.subtract(ours, theirs), np.ones(len(ours)), seed)
