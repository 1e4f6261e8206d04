"""The methods as one kind of function, and the walk that prunes a whole decoder by any of them.

A method takes a weight and what went into its layer, and returns the pruned weight. Layers are pruned in running order
and the inputs of each are captured anew, so that a layer is fitted to what the pruned layers before it really send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.models.capture import Captured, capture
from labkit.models.decoder import Decoder
from labkit.models.walk import ATTENTION_ROLES, MLP_ROLES, Site, linears, weight_of
from labkit.sparsity.masks import Choose, Mask
from labkit.sparsity.scores import magnitude_scores, random_scores, wanda_scores
from labkit.sparsity.sparsegpt import BLOCK, DAMPING, sparsegpt

Method = Callable[[Float[Tensor, "out in"], Captured], Float[Tensor, "out in"]]


def by_magnitude(choose: Choose) -> Method:
    """The largest weights stay; inputs are not looked at.

    >>> from functools import partial
    >>> from labkit.sparsity.masks import keep_in_rows
    >>> by_magnitude(partial(keep_in_rows, density=0.5))(torch.tensor([[1.0, -3.0]]), Captured(torch.eye(2)))
    tensor([[ 0., -3.]])
    """
    return lambda weight, _: weight * choose(magnitude_scores(weight))


def by_wanda(choose: Choose) -> Method:
    """The weights with the largest |W| times input norm stay."""
    return lambda weight, captured: weight * choose(wanda_scores(weight, captured.input_norm))


def by_sparsegpt(
    density: float = 0.5, n_of_m: tuple[int, int] | None = None, block: int = BLOCK, damping: float = DAMPING
) -> Method:
    """What stays also moves, to make up for what went."""
    return lambda weight, captured: sparsegpt(weight, captured.second_moment, density, n_of_m, block, damping)[0]


def by_chance(choose: Choose, seed: int = 0) -> Method:
    """The control."""
    generator = torch.Generator().manual_seed(seed)
    return lambda weight, _: weight * choose(random_scores(weight, generator))


@torch.no_grad()
def prune(
    model: Decoder,
    method: Method | Mapping[str, Method],
    batches: Sequence[Int[Tensor, "batch seq"]],
    roles: tuple[str, ...] = ATTENTION_ROLES + MLP_ROLES,
) -> None:
    """Prune the linear layers of these roles in place, layer after layer; or by a method of its own each path given.

    The zeros are stored like any other weight: nothing is smaller or faster before it is packed. Raises `ValueError`
    naming the layer for what its method refuses, such as one that `batches` never reached.
    """
    chosen = linears(model, roles)
    methods = method if isinstance(method, Mapping) else {site.path: method for site in chosen}
    for n in range(model.config.num_layers):
        sites = [site for site in chosen if site.layer == n and site.path in methods]
        captured = capture(model, batches, sites)
        for site in sites:
            _prune_site(model, site, methods[site.path], captured[site.path])


@torch.no_grad()
def apply_masks(model: Decoder, masks: Mapping[str, Mask]) -> None:
    """Set what the masks do not keep to zero, in place, by the path of each layer.

    Raises `KeyError` naming a path that the model does not have.
    """
    sites = {site.path: site for site in linears(model)}
    for path, mask in masks.items():
        if path not in sites:
            raise KeyError(f"The model has no linear layer {path!r}.")
        weight_of(model, sites[path]).mul_(mask)


def _prune_site(model: Decoder, site: Site, method: Method, captured: Captured) -> None:
    weight = weight_of(model, site).detach()
    try:
        pruned = method(weight, captured)
    except ValueError as error:
        raise ValueError(f"{site.path}: {error}") from None
    weight.copy_(pruned)
