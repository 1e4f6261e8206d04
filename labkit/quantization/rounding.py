"""Round to nearest: each group gets the scale that just spans it, each weight the nearest code.

No data, no search: the baseline that everything else in this room must beat. A group is a row, a part of a row or the
whole tensor; the smaller it is, the closer the scale fits and the more scales there are to store.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from labkit.kernels.normal_float import NF4_LEVELS
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.weight_format import WeightFormat

Groups = Float[Tensor, "out groups"]


def round_to_nearest(
    weight: Float[Tensor, "out in"], fmt: WeightFormat, clip: Groups | float = 1.0, per_tensor: bool = False
) -> QuantizedWeight:
    """Each weight as the nearest code of its group; a group of equal weights is exact if its scale dtype holds them.

    `clip` is the share of a group's range that the codes span (weights beyond it get the outermost code). `per_tensor`
    gives all groups one scale, which is stored with each of them all the same. Raises `ValueError` for a weight that is
    not a matrix of finite numbers and a group size that does not divide its rows.

    >>> round_to_nearest(torch.tensor([[-3.0, 0.4, 1.6]]), WeightFormat(bits=3)).dequantize()  # scale 3 / 3
    tensor([[-3.,  0.,  2.]])
    """
    weight = checked(weight)
    groups = fmt.groups(weight.shape[1])
    if per_tensor:
        whole = group_scales(weight.reshape(1, -1), dataclasses.replace(fmt, group_size=None), clip)
        scales, zeros = (None if n is None else n.repeat(len(weight), groups) for n in whole)
    else:
        scales, zeros = group_scales(weight, fmt, clip)
    spread = [None if n is None else n.unsqueeze(-1) for n in (scales, zeros)]
    codes = nearest_codes(weight.unflatten(1, (groups, -1)), *spread, fmt).flatten(1)
    return QuantizedWeight(codes, scales, zeros, fmt)


def group_scales(
    weight: Float[Tensor, "out in"], fmt: WeightFormat, clip: Groups | float = 1.0
) -> tuple[Groups, Groups | None]:
    """Scale, and zero in affine formats, of each group, rounded to the dtype in which they are stored.

    Symmetric codes reach from -max|w| to max|w|, affine ones from the smallest weight to the largest. A zero is a whole
    number, so that a weight of 0 stays 0 where the range holds it; elsewhere it lies outside the codes. Equal weights w
    have the scale w and a code that stands for 1.
    """
    grouped = weight.unflatten(1, (fmt.groups(weight.shape[1]), -1))
    low, high = grouped.amin(dim=-1), grouped.amax(dim=-1)
    equal, largest = low == high, torch.maximum(-low, high)
    if fmt.symmetric:
        largest_code = 1 if fmt.code == "nf4" else fmt.middle - 1
        return torch.where(equal, high, largest * clip / largest_code).to(fmt.scale_dtype), None
    low, high = low * clip, high * clip
    finest = largest * torch.finfo(fmt.scale_dtype).eps  # below that the zero is too large to be stored exactly
    scales = torch.maximum((high - low) / (fmt.levels - 1), finest)
    scales = torch.where(equal, grouped[..., 0], scales).to(fmt.scale_dtype)
    zeros = torch.where(equal, 0, (-low / _divisor(scales, low.dtype)).round())
    return scales, zeros.to(fmt.scale_dtype)


def nearest_codes(
    values: Float[Tensor, "*shape"],
    scales: Float[Tensor, "*#shape"],
    zeros: Float[Tensor, "*#shape"] | None,
    fmt: WeightFormat,
) -> UInt8[Tensor, "*shape"]:
    """The code nearest to each value; scales and zeros broadcast against them."""
    units = values / _divisor(scales, values.dtype)
    if fmt.code == "nf4":
        levels = NF4_LEVELS.to(units)
        return torch.bucketize(units, (levels[1:] + levels[:-1]) / 2).to(torch.uint8)
    offset = fmt.middle if zeros is None else zeros.to(units.dtype)
    return (units.round() + offset).clamp(0, fmt.levels - 1).to(torch.uint8)


def checked(weight: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
    """The weight in at least fp32. Raises `ValueError` unless it is a matrix of finite numbers."""
    if weight.dim() != 2 or weight.numel() == 0:
        raise ValueError(f"A weight to quantize is a matrix (out, in) with entries; got {tuple(weight.shape)}.")
    broken = int((~torch.isfinite(weight)).sum())
    if broken:
        raise ValueError(f"The weight holds NaN or infinity in {broken} of {weight.numel()} places: mend it first.")
    return weight.detach().float() if weight.itemsize < 4 else weight.detach()


def _divisor(scales: Tensor, dtype: torch.dtype) -> Tensor:
    """A scale of 0, of zeros or of weights too small for the scale's dtype, stands for zeros whatever the code."""
    return torch.where(scales == 0, 1, scales).to(dtype)
