"""Where a decoder keeps its keys and values, and therefore how it attends.

The decoder knows two calls: `cache.begin(tokens, positions)` opens a step, `step.attend(layer, q, k, v)` stores
what is new and attends to what is there. A paged, quantized or windowed cache is another class with these two calls;
the decoder stays as it is.

A slot of a row is the position of its token, so a row holds its tokens side by side whatever padding they came with.
A token at position -1 is padding: it goes to one spare slot at the end, which nobody ever sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from labkit.kernels.attention import attention
from labkit.models.config import DecoderConfig


def positions_from_mask(mask: Int[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
    """Positions of tokens under an attention mask (1 token, 0 padding, on either side); padding gets -1.

    >>> positions_from_mask(torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]]))
    tensor([[-1, -1,  0,  1],
            [ 0,  1,  2, -1]])
    """
    real = mask.bool()
    return torch.where(real, real.long().cumsum(dim=1) - 1, -1)


class Step(Protocol):
    """One call of the decoder: where its tokens stand, and attention for each layer in turn."""

    positions: Int[Tensor, "batch seq"]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]: ...

    def end(self) -> None: ...


class Places(NamedTuple):
    """Where the keys and values of a step lie, for an operator that reads and writes them itself.

    A row's tokens are in the blocks that its table names, in order; without tables, all in a block of its own. With
    tables every new token is a row by itself, whatever row of the step it stands in. `longest` is the longest row.
    """

    keys: Float[Tensor, "layers cache_blocks kv_heads slots head"]
    values: Float[Tensor, "layers cache_blocks kv_heads slots head"]
    longest: int
    block_tables: Int[Tensor, "tokens most_blocks"] | None = None


class Cache(Protocol):
    """What the decoder asks of a cache."""

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None) -> Step: ...


class NoCache:
    """Attention among the tokens of one call only: training, scoring."""

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None) -> Step:
        return UncachedStep(tokens, positions)


class UncachedStep:
    """One call of the decoder that leaves nothing behind."""

    def __init__(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None) -> None:
        self.mask = None if positions is None else _visible(positions, positions)
        self.positions = torch.arange(tokens.shape[1], device=tokens.device)[None] if positions is None else positions

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]:
        return attention(q, k, v, self.mask, causal=self.mask is None)

    def end(self) -> None:
        """Nothing is kept."""


class KVCache:
    """Contiguous cache of fixed capacity: one tensor a layer for keys, one for values, and a length per row.

    Every tensor is allocated here and none in a step. Rows may differ in length; `rewind` forgets the last tokens.
    """

    def __init__(
        self,
        config: DecoderConfig,
        batch: int,
        capacity: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch < 1 or capacity < 1:
            raise ValueError(f"A cache needs at least one row and one slot; got batch {batch}, capacity {capacity}.")
        shape = (config.num_layers, batch, config.num_kv_heads, capacity + 1, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.lengths = [0] * batch  # on the host: a step must not wait for the device to know its own shape

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values, the spare slot of each row included."""
        return self.keys.nbytes + self.values.nbytes

    def rewind(self, counts: int | Sequence[int]) -> None:
        """Forget the last `counts` tokens of every row, or of each row its own number.

        Raises `ValueError` for a negative count or more tokens than a row holds.
        """
        each = [counts] * len(self.lengths) if isinstance(counts, int) else list(counts)
        if len(each) != len(self.lengths):
            raise ValueError(f"{len(each)} counts for a cache of {len(self.lengths)} rows.")
        if any(not 0 <= n <= held for n, held in zip(each, self.lengths, strict=True)):
            raise ValueError(f"Cannot rewind rows of {self.lengths} tokens by {each}.")
        self.lengths = [held - n for n, held in zip(each, self.lengths, strict=True)]

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None = None) -> CachedStep:
        """Open a step for `tokens`, at `positions` or, without them, after what each row holds.

        Raises `ValueError` if the batch is another, a row would overflow, or positions leave a gap or go back.
        """
        batch, seq = tokens.shape
        if batch != len(self.lengths):
            raise ValueError(f"Tokens of {batch} rows for a cache of {len(self.lengths)}.")
        counts = [seq] * batch if positions is None else (positions >= 0).sum(dim=1).tolist()
        ends = [held + n for held, n in zip(self.lengths, counts, strict=True)]
        if max(ends) > self.capacity:
            raise ValueError(f"The cache holds {self.capacity} tokens a row; this step needs {max(ends)}.")
        if positions is not None:
            self._check_contiguous(positions)
        return CachedStep(self, ends, seq, positions)

    def _check_contiguous(self, positions: Int[Tensor, "batch seq"]) -> None:
        real = positions >= 0
        starts = torch.tensor(self.lengths, device=positions.device).unsqueeze(1)
        expected = torch.where(real, starts + real.long().cumsum(dim=1) - 1, -1)
        if not torch.equal(expected, positions):
            raise ValueError(
                f"Positions must go on from what each row holds ({self.lengths}), one by one, with -1 for padding."
            )


class CachedStep:
    """One call of the decoder on a `KVCache`."""

    def __init__(self, cache: KVCache, ends: list[int], seq: int, positions: Int[Tensor, "batch seq"] | None) -> None:
        self.cache, self.ends, self.keys_seen = cache, ends, max(ends)
        device, batch, start = cache.keys.device, len(ends), cache.lengths[0]
        even = positions is None and len(set(cache.lengths)) == 1
        self.slots = slice(start, start + seq) if even else None
        if even:  # one operator: a decode step should start few
            positions = torch.arange(start, start + seq, device=device).expand(batch, seq)
        elif positions is None:
            starts = torch.tensor(cache.lengths, device=device).unsqueeze(1)
            positions = starts + torch.arange(seq, device=device)
        self.positions = positions
        self.causal = even and start == 0 and seq > 1
        self.mask = None
        if not (self.causal or (even and seq == 1)):
            slots = torch.arange(self.keys_seen, device=device).expand(batch, -1)
            self.mask = _visible(positions, slots)
        self.rows = None if even else torch.arange(batch, device=device).unsqueeze(1)

    def places(self) -> Places:
        """All of the cache."""
        return Places(self.cache.keys, self.cache.values, self.keys_seen)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]:
        keys, values = self.cache.keys[layer], self.cache.values[layer]
        if self.slots is not None:
            keys[:, :, self.slots].copy_(k)
            values[:, :, self.slots].copy_(v)
        else:  # -1 is the spare slot
            keys[self.rows, :, self.positions] = k.transpose(1, 2)
            values[self.rows, :, self.positions] = v.transpose(1, 2)
        seen = slice(0, self.keys_seen)
        return attention(q, keys[:, :, seen], values[:, :, seen], self.mask, self.causal)

    def end(self) -> None:
        """The new tokens count from now on."""
        self.cache.lengths = self.ends


def _visible(queries: Int[Tensor, "batch seq"], keys: Int[Tensor, "batch keys"]) -> Bool[Tensor, "batch 1 seq keys"]:
    """Which key each query may see. Padding sees the first token: a softmax over nothing would be NaN."""
    keys = keys[:, None, :]
    seen = (keys <= queries.clamp(min=0)[:, :, None]) & (keys >= 0)
    return seen.unsqueeze(1)
