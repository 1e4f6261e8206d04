"""How long requests are: tokens of prompt, or of answer, one number a request.

Drawn whole and at least 1. A mean alone says little: time to first token grows with the prompt, memory with both, and a
batch waits for its longest answer, so the tail of the distribution is what hurts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

Lengths = Int[np.ndarray, " requests"]


def fixed_lengths(length: int, count: int) -> Lengths:
    """Every request alike.

    >>> fixed_lengths(64, 3)
    array([64, 64, 64])
    """
    _check_range(length, length)
    return np.full(count, length)


def uniform_lengths(low: int, high: int, count: int, rng: np.random.Generator) -> Lengths:
    """Any length from `low` to `high`, both included, equally often.

    >>> sorted(set(uniform_lengths(3, 5, 100, np.random.default_rng(0)).tolist()))
    [3, 4, 5]
    """
    _check_range(low, high)
    return rng.integers(low, high + 1, count)


def lognormal_lengths(
    median: float, sigma: float, count: int, rng: np.random.Generator, most: int | None = None
) -> Lengths:
    """exp(normal) of that median, where `sigma` is the standard deviation of the logarithm; longer ones become `most`.

    The long tail of chat traffic. Clipping at `most`, a model's context, lowers the mean but not the median.

    >>> lognormal_lengths(100, 1.0, 4, np.random.default_rng(0), most=150)
    array([113,  88, 150, 111])
    """
    if not (median >= 1 and sigma >= 0):
        raise ValueError(f"A median is at least 1 token and a sigma at least 0; got {median} and {sigma}.")
    return np.clip(np.rint(rng.lognormal(np.log(median), sigma, count)), 1, most).astype(int)


def empirical_lengths(seen: Sequence[tuple[int, int]], count: int, rng: np.random.Generator) -> tuple[Lengths, Lengths]:
    """(prompt, answer) lengths drawn as pairs from those `seen`, so that whatever ties the two is kept.

    >>> prompts, answers = empirical_lengths([(300, 20), (40, 60)], 4, np.random.default_rng(0))
    >>> prompts.tolist(), answers.tolist()
    ([40, 40, 40, 300], [60, 60, 60, 20])
    """
    if not seen:
        raise ValueError("Empirical lengths are drawn from pairs that were seen, and there is none.")
    pairs = np.asarray(seen)
    _check_range(int(pairs.min()), int(pairs.max()))
    drawn = pairs[rng.integers(len(pairs), size=count)]
    return drawn[:, 0], drawn[:, 1]


def _check_range(low: int, high: int) -> None:
    if not 1 <= low <= high:
        raise ValueError(f"Lengths are at least 1 token, the lower bound first; got {low} to {high}.")
