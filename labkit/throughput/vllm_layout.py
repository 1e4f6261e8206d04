"""A run as the JSON that vLLM's `bench serve --save-result` writes, so that its readers and plots take ours.

A key is there only where it means the same: latencies count from the instant of *sending*, inter-token latency is per
piece, deviations are of the population, and all requests count, warm-up and drain too. What vLLM does not measure that
way (latency from schedule, steady state, intervals) is in `ServiceReport.to_json()`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from labkit.throughput.metrics import inter_chunk_latencies, time_per_output_token
from labkit.throughput.objective import Objective
from labkit.throughput.record import Record, Run


def vllm_result(
    run: Run, *, model: str, objective: Objective | None = None, percentiles: Sequence[float] = (99,), **more: Any
) -> dict[str, Any]:
    """The fields of `bench serve`; `more` goes in as it is (`request_rate`, `burstiness`, `date`).

    Percentiles stand there however few requests they rest on, as in vLLM; do not quote them (`samples_needed`).
    """
    answered = run.completed
    read, written = (sum(getattr(r, name) for r in answered) for name in ("tokens_read", "tokens_written"))
    first = min((r.sent for r in answered), default=0.0)
    found = {
        "model_id": model,
        "num_prompts": len(run.records),
        **more,
        "duration": run.seconds,
        "completed": len(answered),
        "failed": len(run.records) - len(answered),
        "total_input_tokens": read,
        "total_output_tokens": written,
        "request_throughput": len(answered) / run.seconds,
        "request_goodput": sum(_met(objective, r) for r in answered) / run.seconds if objective else None,
        "output_throughput": written / run.seconds,
        "total_token_throughput": (read + written) / run.seconds,
        "max_output_tokens_per_s": float(_busiest(int(t - first) for r in answered for t in r.times)),
        "max_concurrent_requests": _busiest(
            second for r in answered for second in range(int(r.sent - first), int(r.times[-1] - first) + 1)
        ),
    }
    for name, seconds in _measures(answered).items():
        found |= _summary(name, 1e3 * np.array(seconds or [0.0]), percentiles)
    return found


def _measures(answered: list[Record]) -> dict[str, list[float]]:
    return {
        "ttft": [r.times[0] - r.sent for r in answered],
        "tpot": [tpot for r in answered if (tpot := time_per_output_token(r)) is not None],
        "itl": [gap for r in answered for gap in inter_chunk_latencies(r)],
        "e2el": [r.times[-1] - r.sent for r in answered],
    }


def _summary(name: str, milliseconds: np.ndarray, percentiles: Sequence[float]) -> dict[str, float]:
    return {
        f"mean_{name}_ms": float(milliseconds.mean()),
        f"median_{name}_ms": float(np.median(milliseconds)),
        f"std_{name}_ms": float(milliseconds.std()),
        **{f"p{p:g}_{name}_ms": float(np.percentile(milliseconds, p)) for p in percentiles},
    }


def _met(objective: Objective, record: Record) -> bool:
    tpot = time_per_output_token(record) or 0.0
    taken = (record.times[0] - record.sent, tpot, record.times[-1] - record.sent)
    return all(t <= limit for t, limit in zip(taken, (objective.ttft, objective.tpot, objective.e2e), strict=True))


def _busiest(seconds: Iterable[int]) -> int:
    """How often the most frequent second occurs."""
    return max(Counter(seconds).values(), default=0)
