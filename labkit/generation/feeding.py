"""The one way in which tokens reach the model here: what a row has and the cache does not hold yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.generation.rows import Row
from labkit.models.cache import Cache
from labkit.models.decoder import Decoder


class FilledCache(Cache, Protocol):
    """What generation asks of a cache: how many tokens each row holds, and how many it can hold (None: no bound)."""

    lengths: list[int]
    capacity: int | None


def feed(
    model: Decoder, cache: FilledCache, pending: Sequence[Sequence[int]], last_only: bool = True
) -> Float[Tensor, "batch seq vocab"]:
    """Logits after the tokens of `pending`, which follow what each row of the cache holds; they end in the last column.

    Rows may bring different numbers of tokens, or none: then they are padded on the left, and logits of padding mean
    nothing.
    """
    width = max(map(len, pending))
    positions = None
    if any(len(new) != width for new in pending):
        positions = _positions(cache.lengths, pending, width).to(model.device)
    tokens = torch.tensor([[0] * (width - len(new)) + list(new) for new in pending], device=model.device)
    with torch.inference_mode():
        return model(tokens, cache, positions, last_only=last_only)


def _positions(lengths: Sequence[int], pending: Sequence[Sequence[int]], width: int) -> Tensor:
    rows = zip(lengths, pending, strict=True)
    return torch.tensor([[-1] * (width - len(new)) + list(range(held, held + len(new))) for held, new in rows])


def missing(rows: Sequence[Row], lengths: Sequence[int]) -> list[list[int]]:
    """The tokens of each row that a cache of these lengths does not hold; none for rows that have ended."""
    return [[] if row.ended else row.tokens[held:] for row, held in zip(rows, lengths, strict=True)]


def excess(rows: Sequence[Sequence[int]], lengths: Sequence[int]) -> list[int]:
    """How many tokens each row of a cache must forget to hold all tokens of the row but its last."""
    return [max(0, held - (len(row) - 1)) for row, held in zip(rows, lengths, strict=True)]
