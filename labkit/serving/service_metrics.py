"""What an operator watches, in the text format of Prometheus: the line, the cache, tokens and latencies.

Counts of one engine in a registry of its own. Latencies are the server's: from the arrival of a request here, so that a
client, or `labkit.throughput`, which counts from the intended start, sees longer ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from labkit.serving.engine import Engine
from labkit.serving.sequence import Sequence

_SECONDS = tuple(base * 10.0**power for power in range(-3, 2) for base in (1, 2, 5))


class ServiceMetrics:
    """The meters of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.registry = registry = CollectorRegistry()
        scheduler = engine.scheduler
        gauges = {
            "labkit_requests_running": ("Requests that hold blocks.", lambda: len(scheduler.running)),
            "labkit_requests_waiting": ("Requests in line.", lambda: len(scheduler.waiting)),
            "labkit_cache_blocks": ("Blocks of the cache.", lambda: scheduler.pool.num_blocks),
            "labkit_cache_blocks_free": ("Blocks that no request holds.", lambda: scheduler.pool.num_free),
        }
        for name, (meaning, value) in gauges.items():
            Gauge(name, meaning, registry=registry).set_function(value)
        self._requests = Counter("labkit_requests", "Requests that ended.", ["outcome"], registry=registry)
        self._prompt = Counter("labkit_prompt_tokens", "Tokens of prompts.", registry=registry)
        self._cached = Counter("labkit_cached_tokens", "Tokens of prompts that were found computed.", registry=registry)
        self._written = Counter("labkit_output_tokens", "Tokens written.", registry=registry)
        self._preempted = Counter("labkit_preemptions", "Times a request gave its blocks back.", registry=registry)
        seconds = {"buckets": _SECONDS, "registry": registry}
        self._first = Histogram("labkit_time_to_first_token_seconds", "From arrival.", **seconds)
        self._between = Histogram("labkit_inter_token_latency_seconds", "Between two tokens of a request.", **seconds)

    def text(self) -> bytes:
        """All of it, as a scrape reads it."""
        return generate_latest(self.registry)

    @contextmanager
    def request(self, sequence: Sequence) -> Iterator[Callable[[], None]]:
        """Notes one request from its arrival to whatever ends it; the function given is to be called for each token."""
        last = time.perf_counter()
        tokens = 0

        def note() -> None:
            nonlocal last, tokens
            now = time.perf_counter()
            (self._between if tokens else self._first).observe(now - last)
            last, tokens = now, tokens + 1

        outcome = "cancelled"  # a generator that is closed, or a task that is cancelled
        try:
            yield note
            outcome = "completed"
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._requests.labels(outcome).inc()
            self._prompt.inc(sequence.num_prompt_tokens)
            self._cached.inc(min(sequence.num_cached_tokens, sequence.num_prompt_tokens))
            self._written.inc(tokens)
            self._preempted.inc(sequence.num_preemptions)
