"""How much of a group's range the codes should span: all of it rounds its outermost weight well and the rest coarsely.

AWQ's second search (arXiv 2306.00978, its released code): shrink the range of each group step by step and keep the
share with the smallest output error on calibration inputs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.nearest_codes import checked
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.awq import checked_inputs
from labkit.quantization.rounding import round_to_nearest

STEPS = 20
"""Shares tried: 1, 0.975, ..., 0.525."""


def searched_clip(
    weight: Float[Tensor, "out in"], inputs: Float[Tensor, "tokens in"], fmt: WeightFormat
) -> Float[Tensor, "out groups"]:
    """The share for each group, to be given to `round_to_nearest`, judged by the part of the output it makes.

    Raises `ValueError` as `awq_scales` does.

    >>> weight, even = torch.tensor([[0.9, -1.1, 1.0, 1.9]]), torch.eye(4)  # 2 bits: a step of 1.9, or of their mean?
    >>> searched_clip(weight, even, WeightFormat(bits=2)) * 1.9
    tensor([[1.2350]])
    """
    weight = checked(weight)
    inputs = checked_inputs(inputs, weight.shape[1])
    groups = fmt.groups(weight.shape[1])
    parts = inputs.unflatten(1, (groups, -1)).transpose(0, 1)
    moments = parts.transpose(1, 2) @ parts
    best = torch.ones(len(weight), groups, dtype=weight.dtype, device=weight.device)
    least = torch.full_like(best, torch.inf)
    for step in range(STEPS):
        share = 1 - 0.5 * step / STEPS
        difference = (round_to_nearest(weight, fmt, share).dequantize() - weight).unflatten(1, (groups, -1))
        error = torch.einsum("ogi,gij,ogj->og", difference, moments.to(difference), difference)
        best, least = torch.where(error < least, share, best), torch.minimum(error, least)
    return best
