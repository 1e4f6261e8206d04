"""A service watched while it works: its own meters, read over HTTP as Prometheus would, and drawn as lines.

Reads what `labkit serve` offers at `/metrics`. The reader is a client like any other: it sees the service, not its
inside, and what it costs is in what it sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from labkit.measure.figure import Figure, plot, series_styles

RUNNING, WAITING = "labkit_requests_running", "labkit_requests_waiting"
BLOCKS, FREE = "labkit_cache_blocks", "labkit_cache_blocks_free"
BETWEEN, FIRST = "labkit_inter_token_latency_seconds_count", "labkit_time_to_first_token_seconds_count"


@dataclass(frozen=True)
class Reading:
    """One look at the meters, `at` seconds after the first: tokens written so far, requests, and blocks of cache."""

    at: float
    tokens: float
    running: float
    waiting: float
    held: float
    blocks: float


def read(text: str, at: float) -> Reading:
    """A reading out of the text of `/metrics`; raises `ValueError` where a meter is not there.

    A token is written as it comes, while the counter of written tokens moves when its request ends; so tokens are
    counted by the latencies that are noted with each.
    """
    values = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    lacking = [name for name in (RUNNING, WAITING, BLOCKS, FREE, BETWEEN, FIRST) if name not in values]
    if lacking:
        raise ValueError(f"These meters are not among the service's own: {', '.join(lacking)}.")
    held = values[BLOCKS] - values[FREE]
    return Reading(at, values[BETWEEN] + values[FIRST], values[RUNNING], values[WAITING], held, values[BLOCKS])


@asynccontextmanager
async def watching(
    address: str, every: float = 0.25, show: Callable[[list[Reading]], None] = lambda readings: None
) -> AsyncIterator[list[Reading]]:
    """The list that fills while the block runs; `show` gets it after each reading."""
    readings: list[Reading] = []
    now = asyncio.get_running_loop().time
    start = now()

    async def look(client: httpx2.AsyncClient) -> None:
        readings.append(read((await client.get("/metrics")).raise_for_status().text, now() - start))
        show(readings)

    async def keep_looking(client: httpx2.AsyncClient) -> None:
        while True:
            await look(client)
            await asyncio.sleep(every)

    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        task = asyncio.create_task(keep_looking(client))
        try:
            yield readings
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await look(client)


def rates(readings: list[Reading], over: float = 1.0) -> list[tuple[float, float]]:
    """Tokens a second at each reading but the first, over about the last `over` seconds.

    >>> rates([Reading(0.0, 0, 1, 0, 1, 8), Reading(0.5, 10, 1, 0, 1, 8), Reading(2.0, 40, 1, 0, 1, 8)])
    [(0.5, 20.0), (2.0, 20.0)]
    """
    found, back = [], 0
    for place, (_, last) in enumerate(pairwise(readings), 1):
        while back + 1 < place and readings[back + 1].at <= last.at - over:
            back += 1
        first = readings[back]
        found.append((last.at, (last.tokens - first.tokens) / max(last.at - first.at, 1e-9)))
    return found


def watching_figure(readings: list[Reading]) -> Figure:
    """Throughput, requests and blocks over time, one under another's clock; raises `ValueError` for one reading."""
    if len(readings) < 2:
        raise ValueError("One reading is no line; watch for longer.")
    ats, spoken = [r.at for r in readings], rates(readings)
    peak, line = max(rate for _, rate in spoken), max(r.waiting for r in readings)
    with plot(width=9.6, height=3.2, columns=3) as (figure, (left, middle, right)):
        one, two = series_styles(2)
        plain = {"marker": ""}
        left.plot(*zip(*spoken, strict=True), **one | plain)
        left.set(title=f"Up to {peak:.0f} tokens a second", ylabel="throughput (tokens/s)")
        middle.plot(ats, [r.running for r in readings], label="running", **one | plain)
        middle.plot(ats, [r.waiting for r in readings], label="waiting", **two | plain)
        middle.set(title=f"At most {line:.0f} in line", ylabel="requests (count)")
        middle.legend()
        right.plot(ats, [r.held for r in readings], label="held", **one | plain)
        right.axhline(readings[0].blocks, color="black", linestyle=":", linewidth=1, label="all there are")
        right.set(title=f"{max(r.held for r in readings):.0f} blocks at the most", ylabel="cache (blocks)")
        right.legend()
        for axes in (left, middle, right):
            axes.set(xlabel="time (s)", ylim=(0, None))
    alt = (
        f"Three lines over {ats[-1]:.0f} seconds of load: tokens a second up to {peak:.0f}, requests running and "
        f"waiting with at most {line:.0f} in line, and blocks of the cache that were held."
    )
    return Figure(figure, alt=alt)
