"""Cheap guesses at the next tokens: by a small model, or by looking for the same words earlier in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.generation.feeding import excess, feed
from labkit.generation.sampling import Sampling, choose, probabilities
from labkit.models.cache import KVCache
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Draft:
    """Guesses for one row. `drawn_from` has the distribution of each; None where nothing was drawn."""

    tokens: list[int]
    drawn_from: Float[Tensor, "drafted vocab"] | None = None


class Drafter(Protocol):
    """Guesses at most `counts` tokens for each row, which has these `tokens` so far; `open` begins a new batch."""

    def open(self, target: DecoderConfig, batch: int, capacity: int) -> None: ...

    def propose(
        self,
        tokens: Sequence[list[int]],
        counts: Sequence[int],
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> list[Draft]: ...


class PromptLookup:
    """Guesses that the text goes on as it did after the last place with the same ending (Saxena, 2023).

    Endings of `longest` tokens are looked for first, then shorter ones. Costs no pass of any model, and guesses nothing
    where the text does not repeat itself.

    >>> lookup = PromptLookup()
    >>> lookup.continuation([1, 2, 3, 4, 9, 2, 3], count=2)  # 2, 3 was followed by 4, 9
    [4, 9]
    """

    def __init__(self, longest: int = 3) -> None:
        if longest < 1:
            raise ValueError(f"An ending has at least one token; got {longest}.")
        self.longest = longest

    def open(self, target: DecoderConfig, batch: int, capacity: int) -> None:
        """Nothing to keep: the text itself is the memory."""

    def propose(
        self,
        tokens: Sequence[list[int]],
        counts: Sequence[int],
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> list[Draft]:
        return [Draft(self.continuation(row, count)) for row, count in zip(tokens, counts, strict=True)]

    def continuation(self, row: list[int], count: int) -> list[int]:
        """At most `count` tokens that followed the latest earlier place with the longest known ending."""
        for length in range(min(self.longest, len(row) - 1), 0, -1):
            ending = row[-length:]
            for start in range(len(row) - length - 1, -1, -1):
                if row[start : start + length] == ending:
                    return row[start + length : start + length + count]
        return []


class DraftModel:
    """Guesses with a small decoder of the same vocabulary, chosen or drawn as the target chooses or draws.

    Its own cache follows the rows: what the target refused is forgotten before the next guess.
    """

    def __init__(self, model: Decoder) -> None:
        self.model = model
        self.cache: KVCache | None = None

    def open(self, target: DecoderConfig, batch: int, capacity: int) -> None:
        """Raises `ValueError` for another vocabulary, or a context shorter than the rows can become."""
        mine = self.model.config
        if mine.vocab_size != target.vocab_size:
            raise ValueError(
                f"The draft has a vocabulary of {mine.vocab_size} and the model one of {target.vocab_size}: "
                "their tokens do not mean the same."
            )
        if capacity > mine.max_position_embeddings:
            raise ValueError(
                f"Rows can reach {capacity} tokens, but the draft's context ends at {mine.max_position_embeddings}."
            )
        self.cache = self.model.new_cache(batch, capacity)

    def propose(
        self,
        tokens: Sequence[list[int]],
        counts: Sequence[int],
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> list[Draft]:
        self.cache.rewind(excess(tokens, self.cache.lengths))
        rows, drawn_from = [list(row) for row in tokens], []
        for n in range(max(counts)):
            guessing = [count > n for count in counts]
            held = self.cache.lengths
            pending = [row[held[b] :] if guessing[b] else [] for b, row in enumerate(rows)]
            logits = feed(self.model, self.cache, pending)[:, -1]
            if not sampling.greedy:
                drawn_from.append(probabilities(logits, rows, sampling))
            chosen = _draw(logits, drawn_from, rows, sampling, generator)
            for row, token, wanted in zip(rows, chosen, guessing, strict=True):
                if wanted:
                    row.append(token)
        drawn = torch.stack(drawn_from, dim=1) if drawn_from else None
        return [
            Draft(row[len(before) :], None if drawn is None else drawn[b, :count])
            for b, (row, before, count) in enumerate(zip(rows, tokens, counts, strict=True))
        ]


def _draw(
    logits: Tensor,
    drawn_from: list[Tensor],
    rows: list[list[int]],
    sampling: Sampling,
    generator: torch.Generator | None,
) -> list[int]:
    if sampling.greedy:
        return choose(logits, rows, sampling).tolist()
    return torch.multinomial(drawn_from[-1], 1, generator=generator).squeeze(1).tolist()
