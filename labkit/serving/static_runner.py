"""The model behind static batching: a rectangle of rows with a contiguous cache, as a plain `generate` call has it.

The counterpart of `runner`, so that both ways of batching can be measured on one model and one trace. A row that is
done takes part in every later step as padding, and its room in the cache is kept until the longest row ends.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import torch

from labkit.generation.feeding import feed
from labkit.models.cache import KVCache
from labkit.models.decoder import Decoder
from labkit.serving.runner import Batch, drawn
from labkit.serving.sequence import Work


class StaticRunner:
    """What `Engine` awaits beside `StaticBatching`: a new cache for each batch, all of its rows in every step."""

    def __init__(self, model: Decoder) -> None:
        self.model = model
        self.cache: KVCache | None = None
        self._row_of: dict[int, int] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def __call__(self, step: list[Work]) -> dict[int, int | None]:
        """The next token of each request; other tasks run meanwhile."""
        if step[0].sequence.num_computed_tokens == 0:
            self._row_of = {work.sequence.request_id: row for row, work in enumerate(step)}
            self.cache = self.model.new_cache(len(step), max(work.sequence.most_tokens for work in step))
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.compute, Batch.of(step))

    @torch.inference_mode()
    def compute(self, batch: Batch) -> dict[int, int | None]:
        """One forward of the whole rectangle."""
        pending: list[list[int]] = [[] for _ in self._row_of]
        rows, ends = [self._row_of[draw.request_id] for draw in batch.draws], [draw.column + 1 for draw in batch.draws]
        for row, span, end in zip(rows, batch.spans, ends, strict=True):
            pending[row] = batch.tokens[end - span.count : end]
        return drawn(feed(self.model, self.cache, pending)[rows, -1], batch.draws)
