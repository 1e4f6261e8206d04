"""Decode steps as CUDA graphs: what was recorded once is launched as one, not operator by operator.

A step of single tokens starts some thirty kernels a layer, each of microseconds, so a GPU waits for Python most of the
time. A graph replays the launches of one recorded step at the addresses and shapes it had. So the step reads all that
changes from buffers of fixed size: batches are padded to the next power of two, block tables too, and each pair of
sizes is recorded when it is first met (as vLLM and nano-vllm do for sizes fixed in advance).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from labkit.kernels.paged_attention import paged_decode_attention
from labkit.models.decoder import Decoder
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.walk import linears
from labkit.serving.paged_cache import PagedKVCache, Span

WARM_UP = 3
"""Steps before the recording, in which libraries choose their kernels and take their memory."""


class DecodeBatch:
    """A step of `rows` single tokens, to the decoder a cache like any other, whose numbers all lie on the device."""

    def __init__(self, cache: PagedKVCache, rows: int, width: int) -> None:
        self.cache = cache
        self.numbers = torch.zeros(4 + width, rows, dtype=torch.long, device=cache.keys.device)
        self.tokens, self.positions = self.numbers[0:1], self.numbers[1:2]
        self.slot_mapping, self.lengths, self.block_tables = self.numbers[2], self.numbers[3], self.numbers[4:].T

    def fill(self, tokens: list[int], spans: list[Span]) -> None:
        """The numbers of the next step. Rows to spare repeat the first: they write what it writes, where it does."""
        size, (width, rows) = self.cache.keys.shape[2], self.block_tables.T.shape
        columns = [
            [token, span.start, span.slot(span.start, size), span.start + 1, *span.padded_table(width)]
            for token, span in zip(tokens, spans, strict=True)
        ]
        columns += columns[:1] * (rows - len(columns))
        self.numbers.copy_(torch.tensor(columns).T)

    def begin(self, tokens: Int[Tensor, "1 rows"], positions: Int[Tensor, "1 rows"] | None = None) -> DecodeBatch:
        """The step is what it was filled with."""
        return self

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Float[Tensor, "1 heads rows head"]:
        keys, values = self.cache.write(layer, self.slot_mapping, k, v)
        seen = paged_decode_attention(q[0].transpose(0, 1), keys, values, self.block_tables, self.lengths)
        return seen.transpose(0, 1)[None]

    def end(self) -> None:
        """The scheduler counts what is computed."""


class DecodeGraphs:
    """The recorded steps of a `recordable` model on its cache."""

    def __init__(self, model: Decoder, cache: PagedKVCache) -> None:
        self.model, self.cache = model, cache
        self._recorded: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, DecodeBatch, Tensor]] = {}
        self._memory = torch.cuda.graph_pool_handle()  # one for all graphs, since no two run at once

    def __call__(self, tokens: list[int], spans: list[Span]) -> Float[Tensor, "rows vocab"]:
        """Logits after one token of each span; they stand until the next call."""
        sizes = power_of_two(len(spans)), power_of_two(max(len(span.block_table) for span in spans))
        if sizes not in self._recorded:
            batch = DecodeBatch(self.cache, *sizes)
            batch.fill(tokens, spans)
            self._recorded[sizes] = self._record(batch)
        graph, batch, logits = self._recorded[sizes]
        batch.fill(tokens, spans)
        graph.replay()
        return logits[: len(spans)]

    def _record(self, batch: DecodeBatch) -> tuple[torch.cuda.CUDAGraph, DecodeBatch, Tensor]:
        """Keys and values that are written here are those of the step itself, so writing them again changes nothing."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self.model(batch.tokens, batch)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            logits = self.model(batch.tokens, batch)[0]
        return graph, batch, logits


def recordable(model: Decoder) -> bool:
    """Whether a decode step is the same launches whatever the numbers: no experts to choose, no outliers to find."""
    if model.device.type != "cuda" or model.config.moe is not None:
        return False
    return all(type(model.get_submodule(site.path)) in (nn.Linear, QuantizedLinear) for site in linears(model))


def power_of_two(count: int) -> int:
    """The next one that is no smaller.

    >>> [power_of_two(n) for n in (1, 2, 3, 16, 17)]
    [1, 2, 4, 16, 32]
    """
    return 1 << (count - 1).bit_length()
