"""Gradual pruning: a few weights at a time, and training in between, so that the rest can take over their work.

A schedule says how dense a network is after each step. Pruned weights are put back to zero after every update; as the
smallest there are, they are never chosen again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.sparsity.masks import Mask, keep_in_layer
from labkit.sparsity.scores import magnitude_scores


def cubic_density(step: int, begin: int, steps: int, final: float, initial: float = 1.0) -> float:
    """Density after `step`: from `initial` at `begin` to `final` at `begin + steps`, fast at first, then slowly.

    s_t = s_f + (s_i - s_f) (1 - (t - t_0) / n)^3 (Zhu and Gupta, arXiv 1710.01878, equation 1), which is the same law
    for densities. Raises `ValueError` for no steps, or a density that is to rise.

    >>> [cubic_density(step, begin=10, steps=10, final=0.2) for step in (0, 10, 15, 20, 99)]
    [1.0, 1.0, 0.3, 0.2, 0.2]
    """
    if steps < 1:
        raise ValueError(f"A schedule needs at least one step; got {steps}.")
    if not 0 <= final <= initial <= 1:
        raise ValueError(f"Densities fall, from at most 1 to at least 0; got {initial} to {final}.")
    left = 1 - min(max((step - begin) / steps, 0.0), 1.0)
    return round(final + (initial - final) * left**3, 12)


def prune_gradually(
    weights: Mapping[str, Float[Tensor, "out in"]],
    train_step: Callable[[int], object],
    density: Callable[[int], float],
    steps: int,
    every: int = 10,
    choose: Callable[[Float[Tensor, "out in"], float], Mask] = keep_in_layer,
) -> dict[str, Mask]:
    """Train `steps` steps while `weights` lose the smallest of theirs; returns what is kept in the end.

    `train_step(step)` makes one update of the model that the weights belong to; `density(step)` is a schedule. Masks
    are drawn anew at every `every`-th step and at the last one; weights are changed in place.
    """
    masks = _masks(weights, density(0), choose)
    for step in range(steps):
        _apply(weights, masks)
        train_step(step)
        if (step + 1) % every == 0 or step + 1 == steps:
            _apply(weights, masks)  # an update may have moved a pruned weight: it must not win a place by that
            masks = _masks(weights, density(step + 1), choose)
    _apply(weights, masks)
    return masks


def _masks(weights: Mapping[str, Tensor], density: float, choose: Callable[[Tensor, float], Mask]) -> dict[str, Mask]:
    return {name: choose(magnitude_scores(weight), density) for name, weight in weights.items()}


@torch.no_grad()
def _apply(weights: Mapping[str, Tensor], masks: Mapping[str, Mask]) -> None:
    for name, weight in weights.items():
        weight.mul_(masks[name].view_as(weight))
