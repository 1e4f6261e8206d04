"""From a loaded model to a service: how large its cache is, and what bounds a step."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from labkit.models.loading import Loaded
from labkit.models.placement import available_bytes
from labkit.serving.block_pool import BlockPool
from labkit.serving.completion_request import Offer
from labkit.serving.engine import Engine
from labkit.serving.paged_cache import PagedKVCache
from labkit.serving.runner import ModelRunner
from labkit.serving.scheduler import Scheduler
from labkit.serving.service import Service

SHARE_OF_MEMORY = 0.5
"""Of what is free once the model is loaded, the cache takes at most so much."""


@dataclass(frozen=True)
class Limits:
    """What a service may take; see `Scheduler` and `Engine`. `cache_tokens` None: room for all at full length."""

    max_num_seqs: int = 16
    max_num_batched_tokens: int = 512
    prefill_chunk: int | None = None
    block_size: int = 16
    cache_tokens: int | None = None
    max_waiting: int = 1024


def service_of(loaded: Loaded, limits: Limits | None = None) -> Service:
    """Raises `ValueError` for a model without a tokenizer, or limits that leave no room for a token."""
    limits, (model, tokenizer, card) = limits or Limits(), loaded
    if tokenizer is None:
        raise ValueError(f"{card.name} has no tokenizer, so it cannot take or give text.")
    blocks = _num_blocks(model, limits)
    pool = BlockPool(blocks, limits.block_size)
    scheduler = Scheduler(pool, limits.max_num_seqs, limits.max_num_batched_tokens, limits.prefill_chunk)
    runner = ModelRunner(model, PagedKVCache(model.config, pool, model.dtype, model.device))
    context = min(model.config.max_position_embeddings, blocks * limits.block_size)
    offer = Offer(card.name, tokenizer, model.config.vocab_size, context)
    return Service(offer, Engine(scheduler, runner, limits.max_waiting), model.config.eos_token_ids)


def _num_blocks(model, limits: Limits) -> int:
    tokens = limits.cache_tokens
    if tokens is None:
        a_token = model.config.cache_elements_per_token() * model.dtype.itemsize
        free = int(available_bytes(model.device) * SHARE_OF_MEMORY) // a_token
        tokens = min(limits.max_num_seqs * model.config.max_position_embeddings, free)
    return ceil(tokens / max(limits.block_size, 1))
