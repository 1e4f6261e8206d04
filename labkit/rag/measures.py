"""How good a ranking is, knowing what was to be found: the measures of BEIR (Thakur et al., 2021, arXiv 2104.08663).

A ranking is a sequence of ids, best first, none twice. Nothing to be found is no question for these measures: they
raise `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence


def recall_at_k(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """The share of the relevant that stands among the first `k`.

    >>> recall_at_k(["a", "x", "b"], {"a", "b", "c", "d"}, k=2)
    0.25
    """
    _something(relevant)
    return len(set(ranking[:k]) & set(relevant)) / len(set(relevant))


def hit_at_k(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """1 if any of the relevant stands among the first `k`, else 0.

    >>> hit_at_k(["a", "x", "b"], {"b"}, k=2)
    0.0
    """
    _something(relevant)
    return float(not set(relevant).isdisjoint(ranking[:k]))


def reciprocal_rank(ranking: Sequence[Hashable], relevant: Collection[Hashable]) -> float:
    """One over the place of the first relevant id, 0 if there is none; its mean over questions is the MRR.

    >>> reciprocal_rank(["x", "a"], {"a"})
    0.5
    """
    _something(relevant)
    return next((1 / place for place, item in enumerate(ranking, 1) if item in relevant), 0.0)


def ndcg_at_k(ranking: Sequence[Hashable], gains: Mapping[Hashable, float], k: int) -> float:
    """Gain over log2(place + 1), summed over the first `k`, as a share of the best that could be.

    Järvelin and Kekäläinen, 2002, with the discount of trec_eval, which BEIR uses.

    >>> round(ndcg_at_k(["x", "a"], {"a": 1}, k=10), 4)  # 1 / log2(3)
    0.6309
    """
    _something([item for item, gain in gains.items() if gain > 0])
    best = sorted(gains.values(), reverse=True)
    return _discounted([gains.get(item, 0.0) for item in ranking[:k]]) / _discounted(best[:k])


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def _something(relevant: Collection[Hashable]) -> None:
    if not relevant:
        raise ValueError("A question without anything relevant has no score.")
