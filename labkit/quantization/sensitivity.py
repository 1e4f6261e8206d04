"""How much a model suffers when one layer alone is quantized: what a budget of bits should be spent by.

Measured at the output, as KL divergence from the model as it was, because the error of a layer says little about how
much the layers after it care. That these losses add up is an assumption, and a good one while they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.evaluation.divergence import kl_divergence
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.weight_format import WeightFormat
from labkit.models.decoder import Decoder
from labkit.models.walk import Site, weight_of
from labkit.quantization.rounding import round_to_nearest


@torch.no_grad()
def sensitivities(
    model: Decoder,
    tokens: Int[Tensor, "batch seq"],
    sites: Sequence[Site],
    formats: Sequence[WeightFormat],
    quantize: Callable[[Float[Tensor, "out in"], WeightFormat], QuantizedWeight] = round_to_nearest,
) -> Float[Tensor, "sites choices"]:
    """Mean KL in nats a token for each site in each format, all others as they are; the model is left as it was.

    Takes a forward pass for each entry. Raises `ValueError` as `quantize` does.
    """
    reference = model(tokens)
    losses = torch.zeros(len(sites), len(formats))
    for row, site in enumerate(sites):
        weight = weight_of(model, site)
        kept = weight.clone()
        try:
            for column, fmt in enumerate(formats):
                weight.copy_(quantize(kept, fmt).dequantize())
                losses[row, column] = kl_divergence(reference, model(tokens)).mean()
        finally:
            weight.copy_(kept)
    return losses
