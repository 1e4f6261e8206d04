"""Salient channels in full precision beside everything else in few bits: AWQ's table 1 (arXiv 2306.00978).

Not for speed, a matrix of mixed precision is awkward to multiply with. It shows what makes the error: keep the few
columns that meet the largest activations, and most of it is gone; keep as many at random, and nothing is gained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.nearest_codes import checked
from labkit.kernels.packed_weight import PackedWeight, pack
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.rounding import round_to_nearest


@dataclass(frozen=True, eq=False)
class ProtectedWeight:
    """`rest` holds zeros where `columns` stand; `channels` says which inputs those are."""

    rest: PackedWeight
    channels: Int[Tensor, " protected"]
    columns: Float[Tensor, "out protected"]

    @property
    def nbytes(self) -> int:
        """Bytes of all of it, the protected columns' codes included: their places are not cut out."""
        return self.rest.nbytes + self.channels.nbytes + self.columns.nbytes

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The whole weight, in fp32."""
        whole = self.rest.dequantize()
        whole[:, self.channels] = self.columns.float()
        return whole


def salient_channels(inputs: Float[Tensor, "tokens in"], count: int) -> Int[Tensor, " count"]:
    """The `count` inputs with the largest mean |x|, smallest index first.

    >>> salient_channels(torch.tensor([[1.0, -9.0, 2.0, 3.0]]), count=2)
    tensor([1, 3])
    """
    return inputs.float().abs().mean(dim=0).topk(count).indices.sort().values


def protect(weight: Float[Tensor, "out in"], channels: Int[Tensor, " protected"], fmt: WeightFormat) -> ProtectedWeight:
    """Columns `channels` in fp16, the others rounded to nearest.

    Raises `ValueError` as `round_to_nearest` does, and for a column beyond fp16.

    >>> kept = protect(torch.tensor([[6.0, 0.25, -2.0]]), torch.tensor([1]), WeightFormat(bits=3))
    >>> kept.dequantize(), kept.nbytes  # 2 bytes of codes, a scale of 2, a channel's number of 8, its weight of 2
    (tensor([[ 6.0000,  0.2500, -2.0000]]), 14)
    """
    weight = checked(weight)
    columns = weight[:, channels].half()
    if not torch.isfinite(columns).all():
        raise ValueError(f"The columns to protect reach {weight[:, channels].abs().max():g}, which fp16 cannot hold.")
    rest = weight.index_fill(1, channels, 0)
    return ProtectedWeight(pack(round_to_nearest(rest, fmt)), channels, columns)
