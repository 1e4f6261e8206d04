"""A cache of experts: which are held, what that saves, and how the hit rate follows from a trace of requests alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor

Weights = tuple[Tensor, Tensor]


class ExpertCache:
    """Holds the `held` experts used last (LRU, as Eliseev and Mazur, arXiv 2312.17238); reads the others again.

    Raises `ValueError` for fewer than one.
    """

    def __init__(self, read: Callable[[int], Weights], held: int) -> None:
        if held < 1:
            raise ValueError(f"A cache holds at least one expert; got {held}.")
        self._read, self.held = read, held
        self._weights: OrderedDict[int, Weights] = OrderedDict()
        self.hits = self.misses = self.bytes_read = 0

    def get(self, expert: int) -> Weights:
        """The expert's weights, from the cache or read anew."""
        if expert in self._weights:
            self.hits += 1
            self._weights.move_to_end(expert)
            return self._weights[expert]
        if len(self._weights) == self.held:
            self._weights.popitem(last=False)  # first make room: never more than `held` in memory
        self.misses += 1
        weights = self._read(expert)
        self.bytes_read += sum(w.nbytes for w in weights)
        self._weights[expert] = weights
        return weights

    @property
    def nbytes(self) -> int:
        """Bytes of the weights that are held now."""
        return sum(w.nbytes for weights in self._weights.values() for w in weights)

    @property
    def hit_rate(self) -> float:
        """The share of requests that found their expert held; raises `ValueError` before the first."""
        if self.hits + self.misses == 0:
            raise ValueError("No expert was asked for yet, so there is no hit rate.")
        return self.hits / (self.hits + self.misses)


def hit_rates(requests: Sequence[int], experts: int) -> list[float]:
    """The hit rate of an LRU cache of 1, 2, ... `experts` experts on these requests, all from one pass.

    A request hits every cache that is larger than the number of other experts asked for since its last time (Mattson
    et al., 1970, *Evaluation techniques for storage hierarchies*). The first time misses in all.

    >>> hit_rates([0, 0, 1, 0], experts=2)
    [0.25, 0.5]
    """
    if not requests:
        raise ValueError("Without requests there is no hit rate.")
    stack: list[int] = []
    found = [0] * experts
    for expert in requests:
        if expert in stack:
            found[stack.index(expert)] += 1
            stack.remove(expert)
        stack.insert(0, expert)
    total, rates = 0, []
    for count in found:
        total += count
        rates.append(total / len(requests))
    return rates
