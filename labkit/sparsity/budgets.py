"""How a budget of weights is shared out among layers: the same density in each, one contest of all, or by sensitivity.

A layer that bears pruning badly can keep more if another keeps less. One contest (`global_masks`) trusts that scores
of different layers can be compared; `layer_densities` asks a scan what each density really costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.sparsity.masks import Mask, keep_largest, kept_count

Damage = Mapping[str, Mapping[float, float]]
"""For each layer: what each density costs, in any unit in which damages of layers add up (nats a token)."""


def global_masks(scores: Mapping[str, Float[Tensor, "out in"]], density: float) -> dict[str, Mask]:
    """The best weights of all layers together; a layer may keep all of its own, or none.

    >>> scores = {"first": torch.tensor([[1.0, 5.0]]), "second": torch.tensor([[2.0, 3.0]])}
    >>> {name: mask.tolist() for name, mask in global_masks(scores, density=0.5).items()}
    {'first': [[False, True]], 'second': [[False, True]]}
    """
    if not scores:
        raise ValueError("A budget needs at least one layer.")
    flat = torch.cat([s.flatten() for s in scores.values()])
    parts = keep_largest(flat, kept_count(len(flat), density)).split([s.numel() for s in scores.values()])
    return {name: part.view(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


class _Step(NamedTuple):
    """From a layer's present density down to a lower one."""

    price: float  # damage for each weight removed
    layer: str
    density: float


def layer_densities(damage: Damage, sizes: Mapping[str, int], density: float) -> dict[str, float]:
    """A density for each layer that keeps at most `density` of all weights, for as little damage as scanned.

    From the highest scanned densities downwards, always the step that costs least for a weight removed: that is a walk
    down the lower convex hulls of all layers, and the best there is where it ends exactly on the budget (Everett, 1963,
    *Generalized Lagrange multiplier method*). Raises `ValueError` if even the lowest scanned densities keep too much.

    >>> damage = {"tough": {1.0: 0.0, 0.5: 0.1}, "tender": {1.0: 0.0, 0.5: 3.0}}
    >>> layer_densities(damage, {"tough": 100, "tender": 100}, density=0.75)
    {'tough': 0.5, 'tender': 1.0}
    """
    chosen = {layer: max(costs) for layer, costs in damage.items()}
    allowed = density * sum(sizes[layer] for layer in damage)
    while sum(chosen[layer] * sizes[layer] for layer in damage) > allowed * (1 + 1e-12):
        steps = [step for layer in damage for step in _steps_down(layer, chosen[layer], damage[layer], sizes[layer])]
        if not steps:
            raise ValueError(f"The lowest densities scanned keep more than {density} of the weights; scan lower ones.")
        best = min(steps)
        chosen[best.layer] = best.density
    return chosen


def _steps_down(layer: str, now: float, costs: Mapping[float, float], size: int) -> list[_Step]:
    return [_Step((costs[d] - costs[now]) / ((now - d) * size), layer, d) for d in costs if d < now]
