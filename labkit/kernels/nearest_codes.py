"""From values to codes, the way back of `quantized_weight.decode`: what every way of choosing scales ends with."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from labkit.kernels.normal_float import NF4_LEVELS
from labkit.kernels.weight_format import WeightFormat


def nearest_codes(
    values: Float[Tensor, "*shape"],
    scales: Float[Tensor, "*#shape"],
    zeros: Float[Tensor, "*#shape"] | None,
    fmt: WeightFormat,
) -> UInt8[Tensor, "*shape"]:
    """The code nearest to each value; scales and zeros broadcast against them."""
    units = values / divisor(scales, values.dtype)
    if fmt.code == "nf4":
        levels = NF4_LEVELS.to(units)
        return torch.bucketize(units, (levels[1:] + levels[:-1]) / 2).to(torch.uint8)
    offset = fmt.middle if zeros is None else zeros.to(units.dtype)
    return (units.round() + offset).clamp(0, fmt.levels - 1).to(torch.uint8)


def divisor(scales: Tensor, dtype: torch.dtype) -> Tensor:
    """A scale of 0, of zeros or of weights too small for the scale's dtype, stands for zeros whatever the code."""
    return torch.where(scales == 0, 1, scales).to(dtype)


def checked(weight: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
    """The weight in at least fp32. Raises `ValueError` unless it is a matrix of finite numbers."""
    if weight.dim() != 2 or weight.numel() == 0:
        raise ValueError(f"A weight to quantize is a matrix (out, in) with entries; got {tuple(weight.shape)}.")
    broken = int((~torch.isfinite(weight)).sum())
    if broken:
        raise ValueError(f"The weight holds NaN or infinity in {broken} of {weight.numel()} places: mend it first.")
    return weight.detach().float() if weight.itemsize < 4 else weight.detach()
