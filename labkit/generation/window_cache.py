"""A cache that forgets: the last `window` tokens of each row, and its first `sinks` for ever.

Not a saving for free: what is forgotten cannot be read again. A window alone breaks down as soon as the first tokens
leave it, because heads with nothing to say park their attention there; a few such *attention sinks* kept in place
mend it (Xiao et al., 2023, arXiv 2309.17453). Bytes and time of a step then no longer grow with the text.

As in that paper a sink is seen where it would stand right before the window, not where it stood: rotary embeddings
know distances only, and so no distance ever exceeds the size of the cache, however long the text becomes.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from labkit.kernels.attention import attention
from labkit.kernels.rotary import rotary
from labkit.models.config import DecoderConfig
from labkit.models.rope import inverse_frequencies


class WindowCache:
    """`sinks` + `window` slots a row, reused in a circle. A token attends to itself and to what the slots hold.

    `lengths` counts the tokens that each row has seen, kept or not. It cannot rewind: what was overwritten is gone.
    """

    capacity = None  # no bound on the text

    def __init__(
        self,
        config: DecoderConfig,
        batch: int,
        window: int,
        sinks: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch < 1 or window < 1 or sinks < 0:
            raise ValueError(f"At least one row, a window of 1 and 0 sinks; got {batch}, {window} and {sinks}.")
        shape = (config.num_layers, batch, config.num_kv_heads, sinks + window + 1, config.head_dim)
        self.window, self.sinks = window, sinks
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.held = torch.full(
            (batch, sinks + window + 1), -1, device=device
        )  # position in each slot; the last is spare
        self.lengths = [0] * batch
        self.frequencies = inverse_frequencies(config.rope, config.head_dim)[0].to(device)

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values, the spare slot of each row included."""
        return self.keys.nbytes + self.values.nbytes

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None = None) -> WindowStep:
        """Open a step for `tokens`, at `positions` (-1 is padding) or, without them, after what each row has seen.

        Raises `ValueError` if the batch is another.
        """
        batch, seq = tokens.shape
        if batch != len(self.lengths):
            raise ValueError(f"Tokens of {batch} rows for a cache of {len(self.lengths)}.")
        if positions is None:
            starts = torch.tensor(self.lengths, device=self.held.device).unsqueeze(1)
            positions = starts + torch.arange(seq, device=self.held.device)
        return WindowStep(self, positions)

    def slots(self, positions: Int[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
        """Where the token of each position is kept; the spare slot for those that later tokens of a row overwrite."""
        circle = self.sinks + (positions - self.sinks) % self.window
        slots = torch.where(positions < self.sinks, positions, circle)
        last = positions.amax(dim=1, keepdim=True)
        gone = (positions <= last - self.window) & (positions >= self.sinks)
        return torch.where(gone | (positions < 0), self.sinks + self.window, slots)


class WindowStep:
    """One call of the decoder on a `WindowCache`: attends to what is held and to the new tokens, then keeps the new."""

    def __init__(self, cache: WindowCache, positions: Int[Tensor, "batch seq"]) -> None:
        self.cache, self.positions = cache, positions
        self.slots = cache.slots(positions)
        self.rows = torch.arange(len(positions), device=positions.device).unsqueeze(1)
        seen = torch.cat([cache.held, positions], dim=1)
        self.near, self.sunk = self._visible(seen)
        # How far each query is moved back, so that a sink is seen right before the window.
        shift = (positions - (cache.sinks + cache.window - 1)).clamp(min=0)
        angles = -shift[:, None, :, None].float() * cache.frequencies
        self.cos, self.sin = angles.cos(), angles.sin()

    def _visible(self, seen: Int[Tensor, "batch keys"]) -> tuple[Bool[Tensor, "batch 1 seq keys"], ...]:
        """Which keys each query sees inside the window, and which as sinks. Padding sees the first key."""
        q, k = self.positions.clamp(min=0)[:, :, None], seen[:, None, :]
        past = (k >= 0) & (k <= q)
        sunk = past & (k < self.cache.sinks)
        near = past & (k > q - self.cache.window) & ~sunk
        nothing = ~(near | sunk).any(dim=-1, keepdim=True)
        near[..., :1] |= nothing
        return near.unsqueeze(1), sunk.unsqueeze(1)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]:
        cache = self.cache
        keys = torch.cat([cache.keys[layer], k], dim=2)
        values = torch.cat([cache.values[layer], v], dim=2)
        cache.keys[layer][self.rows, :, self.slots] = k.transpose(1, 2)
        cache.values[layer][self.rows, :, self.slots] = v.transpose(1, 2)
        if not cache.sinks:
            return attention(q, keys, values, self.near)
        moved = rotary(q, self.cos.to(q.dtype), self.sin.to(q.dtype))
        return _attend_twice(q, moved, keys, values, self.near, self.sunk)

    def end(self) -> None:
        """The new tokens count from now on."""
        cache = self.cache
        cache.held.scatter_(1, self.slots, self.positions)
        cache.held[:, -1] = -1
        new = (self.positions >= 0).sum(dim=1).tolist()
        cache.lengths = [seen + n for seen, n in zip(cache.lengths, new, strict=True)]


def _attend_twice(
    q: Float[Tensor, "batch heads seq head"],
    moved: Float[Tensor, "batch heads seq head"],
    keys: Float[Tensor, "batch kv_heads keys head"],
    values: Float[Tensor, "batch kv_heads keys head"],
    near: Bool[Tensor, "batch 1 seq keys"],
    sunk: Bool[Tensor, "batch 1 seq keys"],
) -> Float[Tensor, "batch heads seq head"]:
    """One softmax over keys near by, seen from where the query stands, and sinks, seen from where it was moved to."""
    groups = q.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(groups, dim=1), values.repeat_interleave(groups, dim=1)
    turned = keys.transpose(-1, -2)
    scores = torch.where(sunk, moved @ turned, q @ turned).float() / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~(near | sunk), float("-inf"))
    return scores.softmax(dim=-1).to(values.dtype) @ values
