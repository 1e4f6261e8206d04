"""How much each layer minds being pruned: one layer at a time, at a few densities, everything else untouched.

What the scan does not see is how layers act together; it is a guide for a budget, not a promise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.measure.progress import progress
from labkit.measure.report import Report, Table
from labkit.models.decoder import Decoder
from labkit.models.walk import Site, weight_of
from labkit.sparsity.masks import Mask

MaskOf = Callable[[Site, Float[Tensor, "out in"], float], Mask]


@dataclass(frozen=True)
class Sensitivity(Report):
    """`damage[path][density]` is the loss with that one layer pruned, above `loss` of the whole model."""

    loss: float
    damage: dict[str, dict[float, float]]
    sizes: dict[str, int]

    def table(self) -> Table:
        densities = sorted(next(iter(self.damage.values())), reverse=True)
        rows = [[path, self.sizes[path], *(costs[d] for d in densities)] for path, costs in self.damage.items()]
        columns = ["layer", "weights", *(f"added loss at density {d:g}" for d in densities)]
        return Table("What pruning one layer alone costs", columns, rows, f"Loss of the whole model: {self.loss:.4g}.")

    def ranked(self, density: float) -> list[str]:
        """Paths of the layers, the one that minds this density most first."""
        return sorted(self.damage, key=lambda path: -self.damage[path][density])


@torch.no_grad()
def sensitivity_scan(
    model: Decoder,
    sites: Sequence[Site],
    densities: Sequence[float],
    mask_of: MaskOf,
    loss: Callable[[Decoder], float],
) -> Sensitivity:
    """Prune each of `sites` to each density by `mask_of(site, weight, density)`, ask `loss(model)`, and put it back.

    The model is the same afterwards, bit for bit. Density 1 costs nothing and is filled in. Raises `ValueError` without
    sites or densities.
    """
    if not sites or not densities:
        raise ValueError("A scan needs at least one layer and one density.")
    whole = loss(model)
    damage: dict[str, dict[float, float]] = {}
    for site in progress(sites, "Sensitivity"):
        weight = weight_of(model, site).detach()
        before = weight.clone()
        damage[site.path] = {1.0: 0.0}
        try:
            for density in densities:
                weight.copy_(before * mask_of(site, before, density))
                damage[site.path][density] = loss(model) - whole
        finally:
            weight.copy_(before)
    return Sensitivity(whole, damage, {site.path: weight_of(model, site).numel() for site in sites})
