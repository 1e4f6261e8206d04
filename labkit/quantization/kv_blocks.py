"""Keys and values in few bits: keys with a scale per channel, values with a scale per token (KIVI, arXiv 2402.02750).

Some channels of keys are large for every token; a scale per token would have to span them. Values have no such
channels, and attention mixes tokens, so there an error should stay with its token. Both are affine: a channel of keys
often stays far from zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from labkit.kernels.packed_weight import PackedWeight, pack
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.rounding import round_to_nearest

Cached = Float[Tensor, "batch kv_heads tokens head"]


@dataclass(frozen=True, eq=False)
class CacheBlock:
    """Keys or values of some tokens, packed as the rows of a matrix that run along tokens (keys) or channels (values).

    `shape` is that of those rows in the cache: (batch, kv_heads, head, tokens) or (batch, kv_heads, tokens, head).
    """

    packed: PackedWeight
    shape: tuple[int, ...]
    along_tokens: bool

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and zeros."""
        return self.packed.nbytes

    def dequantize(self) -> Cached:
        """The keys or values, in fp32."""
        rows = self.packed.dequantize().view(self.shape)
        return rows.transpose(-1, -2) if self.along_tokens else rows


def pack_keys(keys: Cached, fmt: WeightFormat) -> CacheBlock:
    """Each channel of each head on its own; `fmt.group_size` tokens share a scale.

    Raises `ValueError` as `round_to_nearest` does: for tokens that are no whole number of groups, and for keys that are
    not finite.

    >>> import torch
    >>> block = pack_keys(torch.randn(1, 2, 64, 16), WeightFormat(bits=2, group_size=32, symmetric=False))
    >>> block.nbytes, 1 * 2 * 64 * 16 * 2  # a scale and a zero beside 32 codes make 3 bits of 2; fp16 has 16
    (768, 4096)
    """
    return _packed(keys.transpose(-1, -2), fmt, along_tokens=True)


def pack_values(values: Cached, fmt: WeightFormat) -> CacheBlock:
    """Each token of each head on its own; `fmt.group_size` channels share a scale. Raises as `pack_keys` does."""
    return _packed(values, fmt, along_tokens=False)


def _packed(rows: Tensor, fmt: WeightFormat, along_tokens: bool) -> CacheBlock:
    return CacheBlock(pack(round_to_nearest(rows.flatten(0, -2), fmt)), tuple(rows.shape), along_tokens)
