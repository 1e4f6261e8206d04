"""The timed proofs of this room: the engine beside transformers' `generate`, and what of a step is not the model.

They run under `make bench`, on a quiet machine. Speed is that of decoding at batch 16, in units of transformers in fp32
on the same weights, and counts only where the same engine's logits hold. What HTTP costs, and how far more users bring
more tokens, is measured from outside by `labkit.throughput.bench`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import torch

from labkit.generation.bench import random_llama, trained
from labkit.generation.bench_peers import PROMPT, STEPS, UNIT, Clock, quality, race, their_writer
from labkit.generation.lean_decoding import lean
from labkit.measure.machines import machine
from labkit.measure.promise import promised
from labkit.measure.threads import torch_threads
from labkit.models import Decoder, load
from labkit.serving.block_pool import BlockPool
from labkit.serving.paged_cache import PagedKVCache, PagedStep, Span
from labkit.serving.runner import Batch, ModelRunner
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence

BATCH, BLOCK = 16, 16
COSINE = 0.999
"""What the logits of a step must reach beside those of transformers in fp32."""
BARS = {"bf16": 4.1, "int8": 5.2}
LARGEST_SHARE = 0.05
"""Of a step at batch 16 that scheduling and paging may take."""


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON. A missing model is *blocked*."""
    found: dict[str, Any] = {"machine": machine().processor, "torch": torch.__version__}
    with tempfile.TemporaryDirectory(dir=out) as folder:
        found["random Llama, 44 M"] = beside_generate(random_llama(Path(folder)))
    dense = trained("course-dense")
    found["course-dense"] = beside_generate(dense) if dense else {"blocked": "course-dense is not trained yet"}
    return found


@dataclass(frozen=True)
class Served:
    """A decoder and the dtype of its cache, as `load_service` would have them on a CPU."""

    model: Decoder
    cache_dtype: torch.dtype

    def cache(self, pool: BlockPool) -> PagedKVCache:
        return PagedKVCache(self.model.config, pool, self.cache_dtype)


def beside_generate(model: str | Path) -> dict[str, Any]:
    """Quality, speed at batch 16, what a step is made of, and whether the bars are reached."""
    theirs = load(model, dtype="float32", device="cpu", backend="transformers").model
    ours = load(model, dtype="float32", device="cpu").model
    served = {
        "fp32": Served(lean(ours), torch.float32),
        "bf16": Served(lean(ours, torch.bfloat16), torch.bfloat16),
        "int8": Served(lean(load(model, "w8a8", dtype="float32", device="cpu").model), torch.bfloat16),
    }
    vocab = ours.config.vocab_size
    prompts = torch.randint(3, vocab, (BATCH, PROMPT), generator=torch.Generator().manual_seed(0))
    writers = {UNIT: their_writer(theirs)} | {name: partial(written, engine) for name, engine in served.items()}
    judged = quality(theirs, {name: partial(decoded, engine) for name, engine in served.items()}, vocab)
    speed = {
        "1 thread, CPU time": race(writers, prompts, 1, time.thread_time),
        "all threads, wall time": race(writers, prompts, None, time.perf_counter),
    }
    parts = {name: shares(engine, prompts) for name, engine in served.items()}
    bars = [_bar(name, speed["1 thread, CPU time"], judged, parts[name]) for name in BARS]
    return {"quality against transformers fp32": judged, **speed, "shares of a step, 1 thread": parts, "bars": bars}


def written(served: Served, prompts: torch.Tensor, clock: Clock) -> list[float]:
    """Seconds of each step in which the engine's own scheduler and runner write, all prompts side by side."""
    times = [clock() for _ in _steps(served, prompts, clock)]
    return [after - before for before, after in pairwise(times)]


@torch.inference_mode()
def decoded(served: Served, tokens: torch.Tensor) -> torch.Tensor:
    """Logits after the last token, which goes in on its own."""
    last = tokens.shape[1] - 1
    pool = BlockPool(ceil(tokens.shape[1] / BLOCK), BLOCK)
    cache, table = served.cache(pool), list(range(pool.num_blocks))
    served.model(tokens[:, :-1], cache.step([Span(table, 0, last)]))
    return served.model(tokens[:, -1:], cache.step([Span(table, last, 1)]))[:, -1]


def shares(served: Served, prompts: torch.Tensor) -> dict[str, float]:
    """Medians over decode steps: of CPU time, what scheduling takes, and what finding slots and tables does."""
    with torch_threads(1):
        steps = list(_steps(served, prompts, time.thread_time))[2:]
    scheduling, paging, whole = zip(*steps, strict=True)
    return {
        "ms a step": 1e3 * statistics.median(whole),
        "scheduling": statistics.median(s / w for s, w in zip(scheduling, whole, strict=True)),
        "paging": statistics.median(p / w for p, w in zip(paging, whole, strict=True)),
    }


def _steps(served: Served, prompts: torch.Tensor, clock: Clock) -> Iterator[tuple[float, float, float]]:
    """Seconds of scheduling, of paging and of all, step by step; the first reads the prompts."""
    rows, length = prompts.shape
    pool = BlockPool(rows * ceil((length + STEPS + 1) / BLOCK), BLOCK)
    cache = _Timed(served.cache(pool), clock)
    scheduler, runner = Scheduler(pool, rows, rows * length), ModelRunner(served.model, cache)
    for number, prompt in enumerate(prompts.tolist()):
        scheduler.add(Sequence(number, prompt, STEPS + 1))
    while not scheduler.idle:
        start, before = clock(), cache.seconds
        step = scheduler.schedule()
        batch = Batch.of(step)
        scheduled = clock()
        drawn = runner.compute(batch)
        computed = clock()
        scheduler.complete(step, drawn)
        end = clock()
        yield scheduled - start + end - computed, cache.seconds - before, end - start


class _Timed:
    """A paged cache that counts the seconds in which it opens steps."""

    def __init__(self, cache: PagedKVCache, clock: Clock) -> None:
        self._cache, self._clock, self.seconds = cache, clock, 0.0

    def step(self, spans: list[Span]) -> PagedStep:
        start = self._clock()
        opened = self._cache.step(spans)
        self.seconds += self._clock() - start
        return opened


def _bar(name: str, speed: dict[str, Any], judged: dict[str, Any], parts: dict[str, float]) -> dict[str, Any]:
    reached, cosine, share = speed[name]["ratio"], judged[name]["cosine"], parts["scheduling"] + parts["paging"]
    holds = reached >= BARS[name] and cosine >= COSINE and share < LARGEST_SHARE
    where = {"cosine": cosine, "scheduling and paging": share}
    return promised(f"16 at once, {name}", reached, BARS[name], holds, **where)
