"""A KV cache in few bits, with the newest tokens in full precision until a group of them is complete.

Keys share a scale over a group of tokens, so a group can only be packed once it is whole (KIVI, arXiv 2402.02750,
section 3.2). This cache is the reference: bytes are real, but every step unpacks all of it. A fast one would unpack in
the kernel of attention.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.attention import attention
from labkit.kernels.weight_format import WeightFormat
from labkit.models.config import DecoderConfig
from labkit.quantization.kv_blocks import CacheBlock, pack_keys, pack_values


class QuantizedKVCache:
    """Packed blocks a layer, and fewer than `fmt.group_size` new tokens. All rows are equally long, without padding.

    `fmt` is an affine format with a group size that divides the head: tokens a group of keys, channels a group of
    values. Raises `ValueError` for another.
    """

    capacity = None  # grows with the text

    def __init__(
        self, config: DecoderConfig, batch: int, fmt: WeightFormat, dtype: torch.dtype = torch.float32
    ) -> None:
        if fmt.group_size is None or fmt.symmetric:
            raise ValueError(f"A cache is packed in groups of tokens with zeros (symmetric=False); got {fmt}.")
        fmt.groups(config.head_dim)
        self.fmt, self.layers, self.dtype = fmt, config.num_layers, dtype
        self.lengths = [0] * batch
        self.keys: list[list[CacheBlock]] = [[] for _ in range(config.num_layers)]
        self.values: list[list[CacheBlock]] = [[] for _ in range(config.num_layers)]
        empty = torch.empty(batch, config.num_kv_heads, 0, config.head_dim, dtype=dtype)
        self.new_keys, self.new_values = [empty] * config.num_layers, [empty] * config.num_layers

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks and of the tokens that are not packed yet."""
        blocks = sum(block.nbytes for kind in (self.keys, self.values) for layer in kind for block in layer)
        return blocks + sum(t.nbytes for t in (*self.new_keys, *self.new_values))

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None = None) -> PackedStep:
        """Open a step. Raises `ValueError` for another batch, and for positions: rows here have no padding."""
        if len(tokens) != len(self.lengths):
            raise ValueError(f"Tokens of {len(tokens)} rows for a cache of {len(self.lengths)}.")
        if positions is not None:
            raise ValueError("A quantized cache keeps rows of one length and takes no positions; decode one by one.")
        return PackedStep(self, tokens)

    def add(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Append tokens, and pack those of groups that are complete."""
        keys = torch.cat([self.new_keys[layer].to(keys), keys], dim=2)
        values = torch.cat([self.new_values[layer].to(values), values], dim=2)
        whole = keys.shape[2] // self.fmt.group_size * self.fmt.group_size
        if whole:
            self.keys[layer].append(pack_keys(keys[:, :, :whole], self.fmt))
            self.values[layer].append(pack_values(values[:, :, :whole], self.fmt))
        self.new_keys[layer], self.new_values[layer] = (t[:, :, whole:].to(self.dtype).clone() for t in (keys, values))

    def read(self, layer: int) -> tuple[Float[Tensor, "batch kv_heads keys head"], ...]:
        """All keys and values of a layer, as attention sees them."""
        kinds = ((self.keys, self.new_keys), (self.values, self.new_values))
        return tuple(
            torch.cat([*(block.dequantize().to(self.dtype) for block in blocks[layer]), new[layer]], dim=2)
            for blocks, new in kinds
        )


class PackedStep:
    """One call of the decoder on a `QuantizedKVCache`: new tokens attend to each other as they are, then are added."""

    def __init__(self, cache: QuantizedKVCache, tokens: Int[Tensor, "batch seq"]) -> None:
        self.cache, self.seq, start = cache, tokens.shape[1], cache.lengths[0]
        self.positions = torch.arange(start, start + self.seq, device=tokens.device)[None].expand(len(tokens), -1)
        slots = torch.arange(start + self.seq, device=tokens.device)
        self.mask = (slots <= self.positions[:1, :, None])[:, None]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]:
        keys, values = self.cache.read(layer)
        keys, values = torch.cat([keys.to(k), k], dim=2), torch.cat([values.to(v), v], dim=2)
        self.cache.add(layer, k, v)
        return attention(q, keys, values, self.mask)

    def end(self) -> None:
        """The new tokens count from now on."""
        self.cache.lengths = [length + self.seq for length in self.cache.lengths]
