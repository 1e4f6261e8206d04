"""A task with a planted answer to "what should experts specialise in?", small enough to train while you watch.

Inputs come in clusters, some of them common and most of them rare; every cluster has a rule of its own, y = A_c x. One
dense layer must learn all the rules in the same weights. A mixture can give each cluster an expert, if its router finds
the clusters. Nobody tells it where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Planted:
    """`centres[c]` is where cluster c lies, `rules[c]` its map, `shares[c]` the part of all inputs that it has."""

    centres: Float[Tensor, "clusters hidden"]
    rules: Float[Tensor, "clusters hidden hidden"]
    shares: Float[Tensor, " clusters"]

    def draw(
        self, count: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "count hidden"], Float[Tensor, "count hidden"], Int[Tensor, " count"]]:
        """Inputs, right answers, and the cluster of each, which the learner is not told."""
        cluster = torch.multinomial(self.shares, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.centres.shape[1], generator=generator)
        x = self.centres[cluster] + noise
        by_every_rule = torch.einsum("cij,nj->nci", self.rules, x)  # cheaper than a copy of a rule for each input
        return x, by_every_rule[torch.arange(count), cluster], cluster


def planted(clusters: int = 8, hidden: int = 32, skew: float = 1.0, seed: int = 0) -> Planted:
    """A task: orthogonal rules, centres at distance `hidden ** 0.5` from 0, the c-th cluster c ** -skew as frequent.

    >>> planted(clusters=3, hidden=4).shares
    tensor([0.5455, 0.2727, 0.1818])
    """
    generator = torch.Generator().manual_seed(seed)
    centres = torch.nn.functional.normalize(torch.randn(clusters, hidden, generator=generator)) * hidden**0.5
    rules = torch.linalg.qr(torch.randn(clusters, hidden, hidden, generator=generator)).Q
    frequencies = torch.arange(1, clusters + 1.0) ** -skew
    return Planted(centres, rules, frequencies / frequencies.sum())
