"""Serving: many requests share one model and one cache, and nobody waits for a batch to fill or to finish.

What is where: `sequence` one request as the engine sees it; `block_pool` the cache cut into blocks, counted, shared and
remembered by the prefix they hold; `scheduler` which sequences advance in a step and by how many tokens (continuous
batching, chunked prefill, preemption); `static_batching` the baseline that it replaced; `engine` the loop around them
and the streams of tokens. All of that is bookkeeping about token numbers and block numbers, and knows no model.
`paged_cache` has the bytes of the blocks, `runner` makes one forward of a step's work and draws the tokens, and
`static_runner` does so for the baseline; on a GPU `decode_graphs` launches a decode step in one.

Around it a server: `assembling` makes a `service` of a model, which turns a `completion_request` (read by
`json_fields`) into pieces of `answer_text` and keeps `service_metrics`; `openai_app` offers it as OpenAI's clients
expect, in `openai_objects` and `openai_errors`, and `http_server` puts that on a socket.

    service = load_service("course-dense")
    async with service.engine, openai_server(service, port=8000) as address:
        ...

Legend: a *block* holds the keys and values of `block_size` tokens; a `block_table` lists a sequence's blocks in order,
so that token i stands in block `block_table[i // block_size]`. A token is *computed* when its keys and values stand
there.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "BlockPool": "labkit.serving.block_pool",
    "Engine": "labkit.serving.engine",
    "Limits": "labkit.serving.assembling",
    "ModelRunner": "labkit.serving.runner",
    "PagedKVCache": "labkit.serving.paged_cache",
    "Scheduler": "labkit.serving.scheduler",
    "Sequence": "labkit.serving.sequence",
    "StaticBatching": "labkit.serving.static_batching",
    "StaticRunner": "labkit.serving.static_runner",
    "load_service": "labkit.serving.assembling",
    "openai_server": "labkit.serving.http_server",
    "service_of": "labkit.serving.assembling",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
