"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): rankings join without comparing their scores."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)
K = 60
"""The constant of the paper: how little the first place counts more than the second."""


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Item]], k: float = K) -> list[tuple[Item, float]]:
    """Every item of any ranking with the sum of 1 / (k + place), best first; ties in order of first appearance.

    Raises `ValueError` if a ranking names an item twice.

    >>> [item for item, _ in reciprocal_rank_fusion([["a", "b", "c"], ["b", "d"]])]
    ['b', 'a', 'd', 'c']
    """
    scores: dict[Item, float] = {}
    for ranking in rankings:
        if len(set(ranking)) != len(ranking):
            raise ValueError("A ranking names an item twice; each has one place.")
        for place, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + place)
    return sorted(scores.items(), key=lambda pair: -pair[1])
