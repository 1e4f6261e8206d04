"""Several examples in one row, none of which sees another.

A row holds examples side by side, so that no computation goes to padding (Krell et al., 2021, arXiv 2107.02027).
Positions begin again at each, and attention stays inside: the decoder asks its cache how to attend, so packing is a
cache that keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from labkit.kernels.attention import attention
from labkit.training.examples import Example

HOPELESS = 1000
"""Examples in a row that may be too long before a stage is known to be one that cannot be packed."""


@dataclass(frozen=True)
class Batch:
    """Rows of packed examples. `segments` numbers the examples of a row, -1 is padding; `learned` marks targets."""

    tokens: Int[Tensor, "batch seq"]
    segments: Int[Tensor, "batch seq"]
    positions: Int[Tensor, "batch seq"]
    learned: Bool[Tensor, "batch seq"]

    def to(self, device: torch.device) -> Batch:
        return Batch(*(t.to(device) for t in (self.tokens, self.segments, self.positions, self.learned)))


def pack(examples: Iterable[Example], rows: int, length: int, pad: int = 0) -> Batch:
    """The examples in as many rows, each put into the first row that has room.

    Raises `ValueError` where one finds none; `batches` never asks for that.
    """
    filled: list[list[Example]] = [[] for _ in range(rows)]
    for example in examples:
        row = _first_with_room(filled, example, length)
        if row is None:
            raise ValueError(f"{rows} rows of {length} tokens have no room for an example of {len(example.tokens)}.")
        row.append(example)
    return _tensors(filled, length, pad)


def batches(examples: Iterable[Example], rows: int, length: int, pad: int = 0) -> Iterator[Batch]:
    """Full batches, one after the other; an example longer than a row is left out, the last batch is not given.

    Raises `ValueError` after `HOPELESS` examples in a row that are too long: a source without end would never fill one.
    """
    filled: list[list[Example]] = [[] for _ in range(rows)]
    too_long = 0
    for example in examples:
        too_long = too_long + 1 if len(example.tokens) > length else 0
        if too_long >= HOPELESS:
            raise ValueError(f"{HOPELESS} examples in a row are longer than a row of {length} tokens.")
        if too_long:
            continue
        row = _first_with_room(filled, example, length)
        if row is None:
            yield _tensors(filled, length, pad)
            filled = [[] for _ in range(rows)]
            row = filled[0]
        row.append(example)


def _first_with_room(filled: list[list[Example]], example: Example, length: int) -> list[Example] | None:
    return next((r for r in filled if sum(len(e.tokens) for e in r) + len(example.tokens) <= length), None)


def _tensors(filled: list[list[Example]], length: int, pad: int) -> Batch:
    tokens = torch.full((len(filled), length), pad)
    segments = torch.full((len(filled), length), -1)
    positions = torch.zeros((len(filled), length), dtype=torch.long)
    learned = torch.zeros((len(filled), length), dtype=torch.bool)
    for r, row in enumerate(filled):
        start = 0
        for n, example in enumerate(row):
            place = slice(start, start := start + len(example.tokens))
            tokens[r, place] = torch.tensor(example.tokens)
            segments[r, place] = n
            positions[r, place] = torch.arange(len(example.tokens))
            learned[r, place] = torch.tensor((False, *example.learned[1:]))
    return Batch(tokens, segments, positions, learned)


class PackedAttention:
    """A cache that keeps nothing and lets a token see only what stands before it in its own example.

    Each example is attended to by itself: masking a whole row would calculate every score and throw most of them away.
    """

    def __init__(self, batch: Batch) -> None:
        self.positions = batch.positions
        self.lengths = [row.unique_consecutive(return_counts=True)[1].tolist() for row in batch.segments]

    def begin(self, tokens: Int[Tensor, "batch seq"], positions: Int[Tensor, "batch seq"] | None) -> PackedAttention:
        return self

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "batch heads seq head"]:
        rows = zip(q.unbind(), k.unbind(), v.unbind(), self.lengths, strict=True)
        return torch.stack([self._row(*row) for row in rows])

    def _row(self, q: Tensor, k: Tensor, v: Tensor, lengths: list[int]) -> Float[Tensor, "heads seq head"]:
        examples = zip(*(x.unsqueeze(0).split(lengths, dim=2) for x in (q, k, v)), strict=True)
        return torch.cat([attention(*example, causal=True) for example in examples], dim=2)[0]

    def end(self) -> None:
        """Nothing is kept."""
