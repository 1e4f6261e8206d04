"""The bytes of a block pool's blocks, and attention of sequences that have their keys and values there.

The pool says who holds which block and knows no tensor; here a block has room for the keys and values of `block_size`
tokens in every layer. A step sees the new tokens of all its sequences side by side in one row, each sequence attending
to its own blocks alone, and is to the decoder what any other cache is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.paged_attention import paged_attention
from labkit.models.cache import Places
from labkit.models.config import DecoderConfig
from labkit.serving.block_pool import BlockPool


class Span(NamedTuple):
    """`count` new tokens of a sequence, from position `start` on; their keys and values go where its blocks are."""

    block_table: list[int]
    start: int
    count: int

    def slot(self, position: int, block_size: int) -> int:
        """Where the keys of the token at `position` lie, counted in tokens from the first block of the cache.

        >>> Span([7, 2], start=0, count=6).slot(5, block_size=4)
        9
        """
        return self.block_table[position // block_size] * block_size + position % block_size

    def padded_table(self, width: int) -> list[int]:
        """Its blocks, then any."""
        return self.block_table + [0] * (width - len(self.block_table))


class PagedKVCache:
    """Keys and values of every block of `pool`, allocated here and never in a step."""

    def __init__(
        self,
        config: DecoderConfig,
        pool: BlockPool,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (config.num_layers, pool.num_blocks, pool.block_size, config.num_kv_heads, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values, of blocks that are held and of those that are free."""
        return self.keys.nbytes + self.values.nbytes

    def write(self, layer: int, slots: Int[Tensor, " tokens"], k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """New keys and values, (1, kv_heads, tokens, head), into their slots; gives all blocks of the layer."""
        keys, values = self.keys[layer], self.values[layer]
        for blocks, new in ((keys, k), (values, v)):
            blocks.flatten(0, 1).index_copy_(0, slots, new[0].transpose(0, 1).to(blocks.dtype))
        return keys, values

    def step(self, spans: Iterable[Span]) -> PagedStep:
        """A cache for one call of the decoder, whose tokens are those of the spans, side by side in one row."""
        return PagedStep(self, list(spans))


class PagedStep:
    """One call of the decoder on a `PagedKVCache`: new keys and values go to their slots, then the queries look."""

    def __init__(self, cache: PagedKVCache, spans: list[Span]) -> None:
        self.cache, self.counts = cache, [span.count for span in spans]
        self.ends = [span.start + span.count for span in spans]
        size, device, width = cache.keys.shape[2], cache.keys.device, max(len(span.block_table) for span in spans)
        places = [range(span.start, span.start + span.count) for span in spans]
        slots = [span.slot(place, size) for span, row in zip(spans, places, strict=True) for place in row]
        self.block_tables = torch.tensor([span.padded_table(width) for span in spans], device=device)
        self.slot_mapping = torch.tensor(slots, device=device)
        self.positions = torch.tensor([list(chain(*places))], device=device)

    def begin(self, tokens: Int[Tensor, "1 tokens"], positions: Int[Tensor, "1 tokens"] | None = None) -> PagedStep:
        """Raises `ValueError` for other tokens than the spans have: positions are known from them."""
        if tokens.shape != self.positions.shape or positions is not None:
            raise ValueError(
                f"This step is for {self.positions.shape[1]} tokens in one row, at positions of its own; got tokens "
                f"of shape {tuple(tokens.shape)}{'' if positions is None else ' and positions'}."
            )
        return self

    def places(self) -> Places | None:
        """All of the cache, where every sequence has one new token."""
        if any(count != 1 for count in self.counts):
            return None
        keys, values = (kept.transpose(2, 3) for kept in (self.cache.keys, self.cache.values))
        return Places(keys, values, max(self.ends), self.block_tables)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "1 heads tokens head"]:
        keys, values = self.cache.write(layer, self.slot_mapping, k, v)
        seen = paged_attention(q[0].transpose(0, 1), keys, values, self.block_tables, self.counts, self.ends)
        return seen.transpose(0, 1)[None]

    def end(self) -> None:
        """The scheduler counts what is computed."""
