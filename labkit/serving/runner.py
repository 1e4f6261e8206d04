"""The model behind the engine: the work of a step in one forward, and the next token of every request that is due one.

The forward runs in a thread of its own, one step after another, so that the event loop goes on taking and answering
requests meanwhile; what a step needs of the sequences is read before, because one may be cancelled while it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.generation.sampling import GREEDY, LostLogitsError, Sampling, choose
from labkit.models.decoder import Decoder
from labkit.serving.decode_graphs import DecodeGraphs, recordable
from labkit.serving.paged_cache import PagedKVCache, Span
from labkit.serving.sequence import Work


@dataclass(frozen=True)
class Draw:
    """A token that is to be drawn: for whom, after which `column` of the step, and how."""

    request_id: int
    column: int
    sampling: Sampling
    generator: torch.Generator | None
    context: list[int]
    """The tokens before it, where a penalty asks for them."""


@dataclass(frozen=True)
class Batch:
    """A step as the model takes it: the new tokens of all sequences side by side, and where each has its blocks."""

    tokens: list[int]
    spans: list[Span]
    draws: list[Draw]

    @classmethod
    def of(cls, step: Iterable[Work]) -> Batch:
        """A copy of all that the step needs; the sequences may change from now on."""
        batch = cls([], [], [])
        for work in step:
            sequence, start = work.sequence, work.sequence.num_computed_tokens
            batch.tokens.extend(sequence.token_ids[start : start + work.num_tokens])
            batch.spans.append(Span(list(sequence.block_table), start, work.num_tokens))
            if work.draws:
                sampling = sequence.sampling or GREEDY
                context = [] if sampling.repetition_penalty == 1 else list(sequence.token_ids)
                column = len(batch.tokens) - 1
                batch.draws.append(Draw(sequence.request_id, column, sampling, sequence.generator, context))
        return batch


class ModelRunner:
    """What `Engine` awaits: `model` on the blocks of `cache`. The scheduler must be that of the cache's pool.

    On a GPU steps of single tokens are recorded as CUDA graphs unless `graphs` is false.
    """

    def __init__(self, model: Decoder, cache: PagedKVCache, graphs: bool = True) -> None:
        self.model, self.cache = model, cache
        self._graphs = DecodeGraphs(model, cache) if graphs and recordable(model) else None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def __call__(self, step: list[Work]) -> dict[int, int | None]:
        """The token drawn for each request that is due one; other tasks run meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.compute, Batch.of(step))

    @torch.inference_mode()
    def compute(self, batch: Batch) -> dict[int, int | None]:
        """One forward, its keys and values kept."""
        device = self.model.device
        # A chunk from the middle of a prompt draws nothing; one column then costs less than a head for none.
        columns = torch.tensor([draw.column for draw in batch.draws] or [0], device=device)
        if self._graphs and all(span.count == 1 for span in batch.spans):
            logits = self._graphs(batch.tokens, batch.spans)[columns]
        else:
            tokens = torch.tensor([batch.tokens], device=device)
            logits = self.model(tokens, self.cache.step(batch.spans), columns=columns)[0]
        return drawn(logits, batch.draws)


def drawn(logits: Float[Tensor, "draws vocab"], draws: list[Draw]) -> dict[int, int | None]:
    """A token for each request: the best ones all at once, the others by each request's own generator.

    None for a request whose logits hold NaN or infinity: that is its own misfortune and nobody else's.
    """
    found: dict[int, int | None] = {}
    plain = [place for place, draw in enumerate(draws) if draw.sampling == GREEDY]
    with suppress(LostLogitsError):  # then one by one, to see whose they are
        best = choose(logits[plain], [[]] * len(plain), GREEDY).tolist() if plain else []
        found |= zip((draws[place].request_id for place in plain), best, strict=True)
    for place, draw in enumerate(draws):
        if draw.request_id not in found:
            found[draw.request_id] = _token(logits[place : place + 1].cpu(), draw)  # a seed means the same everywhere
    return found


def _token(row: Float[Tensor, "1 vocab"], draw: Draw) -> int | None:
    try:
        return int(choose(row, [draw.context], draw.sampling, draw.generator))
    except LostLogitsError:
        return None
