"""A model whose cache shows every mistake: each slot holds the whole prefix that its token ended.

It reads the slots of all tokens before those it computes, so a block that is shared, reused or forgotten wrongly shows
as a foreign prefix. The token it draws depends on the whole prefix, so outputs can be compared with one request alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from labkit.serving.sequence import Sequence, Work

VOCABULARY = 5
"""Few tokens, so that prompts often share a prefix and answers often stop."""


def next_token(prefix: Iterable[int]) -> int:
    return hash(tuple(prefix)) % VOCABULARY


def alone(prompt: Iterable[int], max_tokens: int, stop_tokens: Iterable[int] = ()) -> list[int]:
    """What one request writes that has the model to itself."""
    tokens, written = list(prompt), []
    while len(written) < max_tokens:
        written.append(next_token([*tokens, *written]))
        if written[-1] in stop_tokens:
            break
    return written


class FakeModel:
    """Slots of the cache by block and offset."""

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self.slots: dict[tuple[int, int], tuple[int, ...]] = {}

    def run(self, step: list[Work]) -> dict[int, int]:
        """Computes the work of a step, all reads after all writes as in one pass of a model."""
        for sequence, num_tokens in step:
            for place in range(sequence.num_computed_tokens, sequence.num_computed_tokens + num_tokens):
                self.slots[self._slot(sequence, place)] = tuple(sequence.token_ids[: place + 1])
        for sequence, num_tokens in step:
            for place in range(sequence.num_computed_tokens + num_tokens):
                seen = self.slots[self._slot(sequence, place)]
                assert seen == tuple(sequence.token_ids[: place + 1]), "a slot holds another sequence's token"
        return draw(step)

    def _slot(self, sequence: Sequence, place: int) -> tuple[int, int]:
        return sequence.block_table[place // self.block_size], place % self.block_size


def draw(step: list[Work]) -> dict[int, int]:
    """The next token of each sequence that reaches its end in this step."""
    return {work.sequence.request_id: next_token(work.sequence.token_ids) for work in step if work.draws}


def slowly(compute: Callable[[list[Work]], dict[int, int]], seconds: Callable[[list[Work]], float] = lambda _: 1.0):
    """A model that takes time, which passes after it has looked at the sequences."""

    async def run(step: list[Work]) -> dict[int, int]:
        assert step, "the model is asked to compute nothing"
        drawn, taken = compute(step), seconds(step)
        await asyncio.sleep(taken)
        return drawn

    return run
