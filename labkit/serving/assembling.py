"""From a model to a service: how it decodes fastest here, how large its cache is, and what bounds a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import torch

from labkit.generation.lean_decoding import lean
from labkit.models.decoder import Decoder
from labkit.models.loading import Loaded, load
from labkit.models.placement import available_bytes, choose_device
from labkit.models.schemes import SCHEMES
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
    """What a service may take; see `Scheduler` and `Engine`. `cache_tokens` None: room for all at full length.

    The cache is of `cache_dtype`, or of the model's. `cuda_graphs` are for the GPU.
    """

    max_num_seqs: int = 16
    max_num_batched_tokens: int = 512
    prefill_chunk: int | None = None
    block_size: int = 16
    cache_tokens: int | None = None
    cache_dtype: torch.dtype | None = None
    cuda_graphs: bool = True
    max_waiting: int = 1024


def load_service(
    name: str | Path,
    limits: Limits | None = None,
    quantization: str | None = None,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device = "auto",
) -> Service:
    """The arguments of `load`, and on a CPU what computes fastest from the same weights: `lean`.

    There "auto" keeps weights, unless quantized, and cache in bf16, and computes in fp32; "float32" keeps them as they
    are. Raises `LoadError` as `load` does.
    """
    place = choose_device(device)
    if place.type != "cpu" or quantization in SCHEMES:  # bitsandbytes' layers compute in their own way
        return service_of(load(name, quantization, dtype, place), limits)
    kept = torch.float32 if dtype in ("float32", "fp32", torch.float32) else torch.bfloat16
    limits, loaded = limits or Limits(), load(name, quantization, "float32", place)
    if loaded.card.quantization in SCHEMES:
        return service_of(loaded, limits)
    cache_dtype = limits.cache_dtype or kept
    return service_of(replace(loaded, model=lean(loaded.model, kept)), replace(limits, cache_dtype=cache_dtype))


def service_of(loaded: Loaded, limits: Limits | None = None) -> Service:
    """Raises `ValueError` for a model without a tokenizer, or limits that leave no room for a token."""
    limits, (model, tokenizer, card) = limits or Limits(), loaded
    if tokenizer is None:
        raise ValueError(f"{card.name} has no tokenizer, so it cannot take or give text.")
    dtype = limits.cache_dtype or model.dtype
    blocks = _num_blocks(model, dtype, limits)
    pool = BlockPool(blocks, limits.block_size)
    scheduler = Scheduler(pool, limits.max_num_seqs, limits.max_num_batched_tokens, limits.prefill_chunk)
    runner = ModelRunner(model, PagedKVCache(model.config, pool, dtype, model.device), limits.cuda_graphs)
    context = min(model.config.max_position_embeddings, blocks * limits.block_size)
    offer = Offer(card.name, tokenizer, model.config.vocab_size, context)
    return Service(offer, Engine(scheduler, runner, limits.max_waiting), model.config.eos_token_ids)


def _num_blocks(model: Decoder, dtype: torch.dtype, limits: Limits) -> int:
    tokens = limits.cache_tokens
    if tokens is None:
        a_token = model.config.cache_elements_per_token() * dtype.itemsize
        free = int(available_bytes(model.device) * SHARE_OF_MEMORY) // a_token
        tokens = min(limits.max_num_seqs * model.config.max_position_embeddings, free)
    return ceil(tokens / max(limits.block_size, 1))
