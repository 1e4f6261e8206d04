"""Prefill and decode from 64 to 4,096 tokens and batch 1 to 64: predicted from the cost formulas, then measured.

A cell is left out, with its reason, where its cache would not fit into half of the free memory or its prompts would
take minutes to read. Decode is measured on a cache filled with random numbers: attention does not care what it reads.
"""

from __future__ import annotations

import time
from typing import Any

import psutil
import torch

from labkit.generation.costs import PassCost, decode_pass, prefill_pass
from labkit.measure.ceiling import ceilings
from labkit.measure.ceiling_report import Ceilings
from labkit.measure.progress import progress
from labkit.models import Decoder, KVCache

LENGTHS, BATCHES = (64, 256, 1024, 4096), (1, 4, 16, 64)
MOST_PREFILL_TOKENS = 8192


def grid(
    model: Decoder, lengths: tuple[int, ...] = LENGTHS, batches: tuple[int, ...] = BATCHES
) -> list[dict[str, Any]]:
    """One row a cell: least and measured seconds of both phases, and their shares of both ceilings, on all threads."""
    found = ceilings("cpu")
    cells = [(batch, length) for batch in batches for length in lengths]
    return [_cell(model, batch, length, found) for batch, length in progress(cells, "context and batch")]


def _cell(model: Decoder, batch: int, length: int, limits: Ceilings) -> dict[str, Any]:
    row: dict[str, Any] = {"batch": batch, "context": length}
    needed = 4 * batch * (length + 2) * model.config.cache_elements_per_token()
    if 2 * needed > psutil.virtual_memory().available:
        return row | {"blocked": f"a cache of {needed / 1e9:.1f} GB would take over half of the free memory"}
    cache = model.new_cache(batch, length + 1)
    if batch * length <= MOST_PREFILL_TOKENS:
        row["prefill"] = _shares(prefill_pass(model.config, batch, length), _prefill(model, cache, length), limits)
    else:
        row["prefill"] = {"blocked": f"more than {MOST_PREFILL_TOKENS} tokens are not read here"}
    row["decode"] = _shares(decode_pass(model.config, batch, length + 1), _decode(model, cache, length), limits)
    return row


def _shares(cost: PassCost, seconds: float, limits: Ceilings) -> dict[str, float]:
    return {
        "seconds": seconds,
        "least seconds": cost.least_seconds(limits),
        "share of peak": cost.flops / seconds / limits.peak("float32"),
        "share of bandwidth": cost.bytes / seconds / limits.bandwidth(cost.bytes, kind="read"),
    }


@torch.inference_mode()
def _prefill(model: Decoder, cache: KVCache, length: int) -> float:
    tokens = torch.randint(0, model.config.vocab_size, (len(cache.lengths), length))
    return _best(lambda: model(tokens, cache, last_only=True), lambda: cache.rewind(cache.lengths), rounds=2)


@torch.inference_mode()
def _decode(model: Decoder, cache: KVCache, length: int) -> float:
    cache.keys.normal_()
    cache.values.normal_()
    cache.lengths = [length] * len(cache.lengths)
    token = torch.zeros(len(cache.lengths), 1, dtype=torch.long)
    return _best(lambda: model(token, cache), lambda: cache.rewind(1), rounds=7)


def _best(run: Any, undo: Any, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        undo()
    return best
