"""One algorithm for every linear layer of a model: what each layer reads, its codes, and the layer that runs them.

Blocks are done in the order they run, and each is calibrated on what the quantized ones before it let through, as in
GPTQ's own code: later layers then make up for what earlier ones got wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from labkit.kernels.packed_weight import PackedWeight, pack
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.models.capture import Captured, capture
from labkit.models.decoder import Decoder
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.walk import Site, linears, replace, unstack_experts, weight_of

ROLES = ("q", "k", "v", "o", "gate", "up", "down")
"""Embedding, router, norms and head keep their precision."""

FEWEST_TOKENS = 16
"""Fewer calibrate on those tokens alone; an expert may be reached by few of a text."""

KEPT = 2048

Algorithm = Callable[[Site, Float[Tensor, "out in"], Captured], QuantizedWeight]
Layer = Callable[[PackedWeight, Float[Tensor, " out"] | None], nn.Module]


@torch.no_grad()
def quantize_model(
    model: Decoder,
    batches: Sequence[Int[Tensor, "batch seq"]],
    algorithm: Algorithm,
    layer: Layer = QuantizedLinear,
    roles: tuple[str, ...] = ROLES,
) -> dict[str, PackedWeight]:
    """Replace every linear of `roles` by `layer(packed weight, bias)`, in place; the packed weights by path.

    `algorithm(site, weight, seen)` is for example `lambda site, w, seen: gptq(w, seen.second_moment, fmt)`, or
    `lambda site, w, seen: round_to_nearest(w, formats[site.path])`; `seen.kept()` are input rows to search a clip on.
    The default layer computes from the packed bytes, and `save` and `load` keep them as they are; with activations of
    8 bits it is `partial(QuantizedLinear, activation_bits=8)`.

    Raises `ValueError` for a layer that too few tokens of `batches` reach, and where the algorithm does, naming the
    layer; the blocks before it are then quantized already.
    """
    unstack_experts(model)
    packed = {}
    for _, block in groupby(linears(model, roles), key=lambda site: site.layer):
        sites = list(block)
        seen = capture(model, batches, sites, keep=KEPT)
        for site in sites:
            packed[site.path] = _packed(model, site, seen[site.path], algorithm)
        for site in sites:
            replace(model, site, layer(packed[site.path], model.get_submodule(site.path).bias))
    return packed


def _packed(model: Decoder, site: Site, seen: Captured, algorithm: Algorithm) -> PackedWeight:
    if seen.tokens < FEWEST_TOKENS:
        raise ValueError(
            f"{site.path}: {seen.tokens} tokens of the calibration text reach it, {FEWEST_TOKENS} are the fewest to "
            "calibrate on; use more text."
        )
    try:
        return pack(algorithm(site, weight_of(model, site).detach().float(), seen))
    except ValueError as error:
        raise ValueError(f"{site.path}: {error}") from None
