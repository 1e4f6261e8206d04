"""Round to nearest: each group gets the scale that just spans it, each weight the nearest code.

No data, no search: the baseline that everything else in this room must beat. A group is a row, a part of a row or the
whole tensor; the smaller it is, the closer the scale fits and the more scales there are to store.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.nearest_codes import checked, divisor, nearest_codes
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
    zeros = torch.where(equal, 0, (-low / divisor(scales, low.dtype)).round())
    return scales, zeros.to(fmt.scale_dtype)
