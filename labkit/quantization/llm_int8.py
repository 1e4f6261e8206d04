"""LLM.int8: the few input channels with outliers are multiplied in full precision, all others in int8.

From about 6.7 billion parameters on, models have channels whose activations exceed 6 everywhere, and int8 breaks on
them (arXiv 2208.07339). There are few, so their part of the product is cheap; without them the rest fits int8 well.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.quantization.activations import check_w8a8, int8_product, quantize_tokens, signed_codes

THRESHOLD = 6.0
"""|x| from which a channel counts as an outlier (section 3.2 of the paper)."""


def outlier_channels(x: Float[Tensor, "*rows in"], threshold: float = THRESHOLD) -> Bool[Tensor, " in"]:
    """The input channels in which any token reaches the threshold.

    >>> import torch
    >>> outlier_channels(torch.tensor([[1.0, -7.0, 2.0], [0.5, 1.0, 6.0]]))
    tensor([False,  True,  True])
    """
    return (x.abs() >= threshold).flatten(0, -2).any(dim=0)


def llm_int8_linear(
    x: Float[Tensor, "*rows in"], weight: QuantizedWeight, threshold: float = THRESHOLD
) -> Float[Tensor, "*rows out"]:
    """x W^T in fp32: outlier channels times dequantized weights, the others in int8 (equation 8).

    The weight is stored as int8 alone, as in bitsandbytes; its outlier columns are dequantized when they are needed, so
    what is saved is the rounding of the activations. Raises `ValueError` as `w8a8_linear` does.

    >>> import torch
    >>> from labkit.kernels.weight_format import WeightFormat
    >>> from labkit.quantization.rounding import round_to_nearest
    >>> weight = round_to_nearest(torch.tensor([[127.0, 127.0]]), WeightFormat(8))
    >>> x = torch.tensor([[0.2, 100.0]])  # beside 100, 0.2 is no whole step of 100 / 127
    >>> llm_int8_linear(x, weight).round(), llm_int8_linear(x, weight, threshold=1000)
    (tensor([[12725.]]), tensor([[12700.]]))
    """
    check_w8a8(weight)
    outlier = outlier_channels(x, threshold)
    codes, scales = quantize_tokens(x.masked_fill(outlier, 0))
    signed, row_scales = signed_codes(weight), weight.scales.float().T
    sums = int8_product(codes.flatten(0, -2), signed).unflatten(0, x.shape[:-1])
    exact = x[..., outlier].float() @ signed[:, outlier].float().T
    return (sums * scales + exact) * row_scales
