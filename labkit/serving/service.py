"""From a request to the pieces of its answer: tokens out of the engine, text out of tokens, and the books of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Literal, NamedTuple

import torch

from labkit.serving.answer_text import AnswerText
from labkit.serving.completion_request import CompletionRequest, Offer
from labkit.serving.engine import Engine
from labkit.serving.sequence import Sequence, Status
from labkit.serving.service_metrics import ServiceMetrics


class Piece(NamedTuple):
    """Some text of an answer, the tokens written so far, and in the last piece why the answer ends."""

    text: str
    output_tokens: int
    finish_reason: Literal["stop", "length"] | None = None


class Service:
    """One model behind one engine, which must run; what HTTP, or a notebook, asks."""

    def __init__(self, offer: Offer, engine: Engine, end_tokens: tuple[int, ...]) -> None:
        self.offer, self.engine, self.metrics = offer, engine, ServiceMetrics(engine)
        self._end_tokens, self._numbers = end_tokens, count()

    async def answer(self, asked: CompletionRequest) -> AsyncGenerator[Piece, None]:
        """The pieces as they are written; closing the generator cancels the request. Raises as `Engine.stream`."""
        sequence = self._sequence(asked)
        text, written = AnswerText(self.offer.tokenizer, asked.stop), 0
        with self.metrics.request(sequence) as note:
            async with aclosing(self.engine.stream(sequence)) as tokens:
                async for token in tokens:
                    note()
                    written += 1
                    certain = text.add(token)
                    if text.stopped:
                        break
                    if certain:
                        yield Piece(certain, written)
        last = certain if text.stopped else text.rest()
        stopped = text.stopped or sequence.status is Status.STOPPED
        yield Piece(last, written, "stop" if stopped else "length")

    def _sequence(self, asked: CompletionRequest) -> Sequence:
        generator = None
        if not asked.sampling.greedy:
            generator = torch.Generator()
            _ = generator.seed() if asked.seed is None else generator.manual_seed(asked.seed)
        ends = () if asked.ignore_eos else self._end_tokens
        return Sequence(next(self._numbers), asked.token_ids, asked.max_tokens, ends, asked.sampling, generator)
