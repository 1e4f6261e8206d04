"""The timed proofs of this room: the load generator against a real server on this machine whose speed is known.

And against `labkit serve` (`bench_served`). All of it runs under `make bench`, on a quiet machine; no test depends on
it. The server is a process of its own, and its service time is measured, not assumed: a timer of 20 ms takes a little
longer.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from labkit.measure.machines import machine
from labkit.measure.progress import progress
from labkit.throughput.arrivals import fixed_arrivals, poisson_arrivals
from labkit.throughput.bench_served import bench_served
from labkit.throughput.driving import closed_loop, open_loop
from labkit.throughput.estimates import mean
from labkit.throughput.loopback import MODEL
from labkit.throughput.metrics import send_lag, time_to_first_token
from labkit.throughput.openai_endpoint import OpenAIEndpoint
from labkit.throughput.queueing import md1_wait
from labkit.throughput.record import Record, Run
from labkit.throughput.request import Request, words
from labkit.throughput.steady import mser5

SERVICE = 0.02
LOADS = (0.3, 0.5, 0.8)
RATES = (50, 200, 800)
REQUESTS, TOKENS = 2000, 16


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON."""
    with server(SERVICE) as address:
        known = asyncio.run(speed(address))
        waits = [asyncio.run(waiting(address, load, *known)) for load in progress(LOADS, "M/D/1 over HTTP")]
    with server(0.0) as address:
        limits = [asyncio.run(at_rate(address, rate)) for rate in progress(RATES, "what the client can send")]
    return {
        "machine": machine().processor,
        "a service of 20 ms": {"seconds in service": known[0], "seconds to the first token, alone": known[1]},
        "M/D/1 over HTTP": waits,
        f"the client at {TOKENS} tokens a request": limits,
        "labkit serve": bench_served(out),
    }


@contextmanager
def server(prefill: float) -> Iterator[str]:
    """The address of a simulated server in another process, which ends with the block."""
    command = [sys.executable, "-m", "labkit.throughput.loopback", "--prefill", str(prefill)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def speed(address: str) -> tuple[float, float]:
    """Mean seconds that a request occupies the server, and that it takes to its first token on an idle one.

    The first is what passes between answers while some are always waiting; HTTP is in the second only.
    """
    async with OpenAIEndpoint(address, MODEL) as endpoint:
        busy = await closed_loop(endpoint, _requests([0.0] * (REQUESTS // 10)), users=4)
        idle = await closed_loop(endpoint, _requests([0.0] * (REQUESTS // 10)), users=1)
    ends = sorted(record.ended for record in _completed(busy))
    return float(np.diff(ends).mean()), float(np.mean([time_to_first_token(r) for r in _completed(idle)]))


async def waiting(address: str, load: float, service: float, alone: float) -> dict[str, Any]:
    """Mean wait in line behind Poisson arrivals, as measured and as theory has it for the measured service time."""
    rate = load / service
    async with OpenAIEndpoint(address, MODEL) as endpoint:
        run = await open_loop(endpoint, _requests(poisson_arrivals(rate, REQUESTS, np.random.default_rng(0))))
    waits = [time_to_first_token(record) - alone for record in _completed(run)]
    found = mean(waits[mser5(waits) :])
    row = {"load": load, "foretold": md1_wait(rate, service), "measured": found.value}
    return row | {"interval": [found.low, found.high], "longest send lag": max(map(send_lag, run.records))}


async def at_rate(address: str, rate: float) -> dict[str, Any]:
    """What sending and reading costs the client, at a rate: its lag, and processor time a token."""
    async with OpenAIEndpoint(address, MODEL) as endpoint:
        before = time.process_time()
        run = await open_loop(endpoint, _requests(fixed_arrivals(rate, REQUESTS), TOKENS))
        seconds = time.process_time() - before
    lags = [send_lag(record) for record in _completed(run)]
    row = {"requests a second": rate, "median send lag": float(np.median(lags)), "longest send lag": max(lags)}
    return row | {"processor seconds a token": seconds / (REQUESTS * TOKENS)}


def _requests(arrivals: Any, output_length: int = 1) -> list[Request]:
    prompt = words(32, np.random.default_rng(0))
    return [Request(float(at), prompt, 32, output_length) for at in arrivals]


def _completed(run: Run) -> tuple[Record, ...]:
    """The records, all of which must be completed before any time counts."""
    if len(run.completed) < len(run.records):
        error = next(record.error for record in run.records if record.error)
        raise RuntimeError(f"The loopback server failed a request, so nothing was measured: {error}")
    return run.records
