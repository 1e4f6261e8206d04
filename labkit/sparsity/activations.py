"""Activation sparsity: the small inputs of a layer are taken for zero, and their weights are then not read.

Nothing is trained. Each layer gets a threshold of its own, the quantile of its calibration inputs that leaves the
density asked for (TEAL, arXiv 2408.14690; CATS, arXiv 2404.08763, for the MLP alone). It helps where few tokens are
decoded at a time; many tokens together need nearly every weight (`costs.active_share`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.models.capture import Captured
from labkit.models.decoder import Decoder
from labkit.models.walk import Site, linears, replace, weight_of
from labkit.sparsity.layers import SkippingLinear
from labkit.sparsity.masks import kept_count
from labkit.sparsity.scores import UNREACHED


def threshold_for(inputs: Float[Tensor, "*rows in"], density: float) -> float:
    """The size above which `density` of these inputs lie; at density 1 nothing is cut, at 0 all of them are.

    Inputs of exactly that size count as small, so ties make it sparser, never denser. Raises `ValueError` for no
    inputs or a density outside 0 to 1.

    >>> threshold_for(torch.tensor([[0.5, -4.0, 1.0, 2.0]]), density=0.5)
    1.0
    """
    sizes = inputs.detach().float().abs().flatten()
    if not len(sizes):
        raise ValueError(UNREACHED)
    small = len(sizes) - kept_count(len(sizes), density)
    return float(sizes.kthvalue(small).values) if small else -1.0


def thresholds(captured: Mapping[str, Captured], density: float | Mapping[str, float]) -> dict[str, float]:
    """A threshold for each captured layer, at one density for all or one for each path; `capture` must keep inputs.

    Raises `ValueError` naming a layer whose inputs were not kept.
    """
    found = {}
    for path, seen in captured.items():
        wanted = density if isinstance(density, float | int) else density[path]
        try:
            found[path] = threshold_for(seen.kept(), wanted)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return found


def skip_inactive(model: Decoder, found: Mapping[str, float], dtype: torch.dtype = torch.bfloat16) -> None:
    """Put a layer that skips inactive inputs in place of each that has a threshold."""
    sites: dict[str, Site] = {site.path: site for site in linears(model)}
    for path, threshold in found.items():
        site = sites[path]
        bias = None if site.expert is not None else getattr(model.get_submodule(path), "bias", None)
        replace(model, site, SkippingLinear(weight_of(model, site).detach(), threshold, bias, dtype))


def input_density(x: Float[Tensor, "*rows in"], threshold: float) -> float:
    """The share of inputs above the threshold.

    >>> input_density(torch.tensor([[0.5, -4.0, 1.0, 2.0]]), threshold=1.0)
    0.5
    """
    return float((x.abs() > threshold).float().mean())
