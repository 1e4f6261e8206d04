"""From a run to its figures: latencies, throughput and goodput in the steady part, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from labkit.throughput.estimates import mean, percentiles
from labkit.throughput.metrics import (
    end_to_end_latency,
    inter_chunk_latencies,
    inter_token_latencies,
    send_lag,
    time_per_output_token,
    time_to_first_token,
)
from labkit.throughput.objective import Objective, goodput
from labkit.throughput.record import Record, Run
from labkit.throughput.report import Latency, ServiceReport
from labkit.throughput.steady import Window, steady_window

PERCENTILES = (50, 90, 95, 99)


def service_report(run: Run, objective: Objective | None = None, window: Window | None = None) -> ServiceReport:
    """The figures of a run. Counted is the steady part (`steady_window`) unless another `window` is given.

    Latencies are those of completed requests *scheduled* in the window; throughput is what *came back* in it, whenever
    it was asked for. Raises `ValueError` where nothing was completed or nothing was scheduled in the window.
    """
    window = window or steady_window(run)
    asked = [record for record in run.records if record.scheduled in window]
    answered = [record for record in asked if record.completed]
    if not answered:
        raise ValueError(f"No request scheduled from {window.start:g} to {window.end:g} s was completed.")
    read, written = tokens_in(run.records, window)
    return ServiceReport(
        loop=run.loop,
        window=window,
        requests=len(asked),
        outcomes=dict(Counter(record.outcome for record in asked)),
        first_error=next((record.error for record in asked if record.error), ""),
        offered_rate=len(asked) / window.seconds,
        request_throughput=sum(r.completed and r.times[-1] in window for r in run.records) / window.seconds,
        output_throughput=written / window.seconds,
        total_token_throughput=(read + written) / window.seconds,
        latencies=tuple(_latencies(answered)),
        objective=objective,
        goodput=goodput(asked, objective, window.seconds) if objective else None,
        attainment=mean([objective.met(r) for r in asked]) if objective else None,
        longest_send_lag=max((send_lag(r) for r in asked if r.outcome != "not sent"), default=0.0),
    )


def tokens_in(records: Iterable[Record], window: Window) -> tuple[float, float]:
    """Tokens read and written in a window, failed requests' too, as they cost the same.

    A prompt counts where its first token comes; an answer's tokens where its pieces come, each piece an equal share.
    """
    read = written = 0.0
    for record in records:
        if record.times:
            read += record.tokens_read * (record.times[0] in window)
            inside = sum(instant in window for instant in record.times)
            written += record.tokens_written * inside / len(record.times)
    return read, written


def _latencies(answered: list[Record]) -> Iterable[Latency]:
    yield _latency("time to first token", map(time_to_first_token, answered))
    yield _latency("time per output token", map(time_per_output_token, answered))
    yield _latency("inter-token latency", _flat(inter_token_latencies, answered))
    yield _latency("inter-chunk latency", _flat(inter_chunk_latencies, answered))
    yield _latency("end-to-end latency", map(end_to_end_latency, answered))


def _flat(gaps: Callable[[Record], list[float] | None], answered: list[Record]) -> list[float]:
    """The gaps of all requests one after another; none where one request's cannot be told."""
    found = [gaps(record) for record in answered]
    return [] if any(g is None for g in found) else [gap for g in found for gap in g]


def _latency(name: str, seconds: Iterable[float | None]) -> Latency:
    values = [value for value in seconds if value is not None]
    if not values:
        return Latency(name, None, {f"p{p}": None for p in PERCENTILES})
    found = zip(PERCENTILES, percentiles(values, PERCENTILES), strict=True)
    return Latency(name, mean(values), {f"p{p}": estimate for p, estimate in found})
