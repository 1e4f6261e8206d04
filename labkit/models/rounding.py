"""Weights to few bits while a model loads: the nearest code of the best of some scales, nothing known but the weight.

What knows more (GPTQ, AWQ) lives in `labkit.quantization` and hands over a `QuantizedWeight`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

from labkit.kernels.nearest_codes import checked, nearest_codes
from labkit.kernels.quantized_weight import QuantizedWeight, decode
from labkit.kernels.weight_format import WeightFormat

EXTREMES = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Where the largest weight of a group may come to lie, in steps beyond the outermost code: beyond it, it is cut off."""


def rounded(weight: Float[Tensor, "out in"], fmt: WeightFormat) -> QuantizedWeight:
    """`weight` in a symmetric format of integers, each group with the scale of the least squared error of some.

    The largest weight of a group takes the side of the codes that reaches one step further, so a scale may be negative.
    Raises `ValueError` for another format, for NaN and infinity, and for groups that do not divide the rows.

    >>> rounded(torch.tensor([[8.0, -7.0, 1.05]]), WeightFormat(4)).dequantize()
    tensor([[ 8., -7.,  1.]])
    """
    if fmt.code != "integer" or not fmt.symmetric:
        raise ValueError(f"Loading rounds to symmetric integers; {fmt} is for the algorithms of labkit.quantization.")
    weight = checked(weight)
    grouped = weight.unflatten(1, (fmt.groups(weight.shape[1]), -1))
    extreme = grouped.gather(-1, grouped.abs().argmax(-1, keepdim=True))
    best = None
    for beyond in EXTREMES:
        scales = (-extreme / (fmt.middle + beyond)).to(fmt.scale_dtype)
        codes = nearest_codes(grouped, scales, None, fmt)
        error = (decode(codes, scales.float(), None, fmt) - grouped).square().sum(-1, keepdim=True)
        if best is None:
            best = error, scales, codes
        better = error < best[0]
        best = tuple(torch.where(better, new, old) for new, old in zip((error, scales, codes), best, strict=True))
    _, scales, codes = best
    return QuantizedWeight(codes.flatten(1), scales.squeeze(-1).contiguous(), None, fmt)
