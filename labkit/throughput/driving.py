"""The load generator: sends requests at their instants, whatever the server does, and notes what comes back.

Two kinds of user (Schroeder, Wierman and Harchol-Balter, "Open versus closed: a cautionary tale", NSDI 2006). In an
*open loop* arrivals do not wait for answers: it is the traffic of many independent users, and the only one in which
latency under a given load means something. In a *closed loop* each of N users sends the next request when the last is
answered: a server that stalls is then asked less, so its stall shows in a single request a user. A generator that
promises arrivals at a rate and waits for a free slot before it starts the stopwatch has both at once and hides its
waiting: *coordinated omission* (Tene, "How not to measure latency", 2013). Here the stopwatch starts at the scheduled
instant, and a request that finds too many others in flight is recorded as not sent, never delayed.

The clock is that of the running event loop, for timers and timestamps alike: run under `VirtualLoop` the same code sits
in simulated time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Literal

from labkit.throughput.endpoint import Endpoint, EndpointError
from labkit.throughput.record import Record, Run
from labkit.throughput.request import Request

TIMEOUT = 600.0


async def open_loop(
    endpoint: Endpoint,
    requests: Iterable[Request],
    *,
    timeout: float = TIMEOUT,
    most_in_flight: int = 1000,
    records: list[Record] | None = None,
) -> Run:
    """Sends each request at its arrival. `timeout` bounds the seconds of one request.

    Requests are taken from the iterable one by one, so a long workload need not stand in memory. A list given as
    `records` fills while the run goes on, for who wants to watch. Raises `ValueError` where arrivals do not rise or
    there is none.
    """
    now, in_flight = _stopwatch(), set()
    records = [] if records is None else records
    last = 0.0
    async with _tasks() as group:
        for request in requests:
            if request.arrival < last:
                raise ValueError(f"Arrivals must rise; got {request.arrival} s after {last} s. Sort the workload.")
            last = request.arrival
            if (ahead := last - now()) > 0:  # who is late does not also give way to the answers that come in
                await asyncio.sleep(ahead)
            record = Record(last, request.input_length, request.output_length)
            records.append(record)
            if len(in_flight) >= most_in_flight:
                record.outcome, record.error = "not sent", f"{most_in_flight} requests were in flight already"
                continue
            task = group.create_task(_ask(endpoint, request, record, now, timeout))
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
    return _run("open", records, now())


async def closed_loop(
    endpoint: Endpoint,
    requests: Iterable[Request],
    users: int,
    *,
    think: float = 0.0,
    timeout: float = TIMEOUT,
    records: list[Record] | None = None,
) -> Run:
    """`users` send one request after another from a common stock, each pausing `think` seconds after an answer.

    A request is scheduled when its user is ready, so latencies are those of the server under that many users; they say
    nothing of arrivals that come regardless (use `open_loop`). Little's law holds: users = throughput * (latency +
    think) (Little, Operations Research 1961).
    """
    if users < 1 or think < 0:
        raise ValueError(f"A closed loop has at least one user, who thinks for 0 s or longer; got {users} and {think}.")
    now, stock = _stopwatch(), iter(requests)
    records = [] if records is None else records

    async def user() -> None:
        for request in stock:
            record = Record(now(), request.input_length, request.output_length)
            records.append(record)
            await _ask(endpoint, request, record, now, timeout)
            if think:
                await asyncio.sleep(think)

    async with _tasks() as group:
        for _ in range(users):
            group.create_task(user())
    return _run("closed", records, now())


async def _ask(endpoint: Endpoint, request: Request, record: Record, now: Callable[[], float], timeout: float) -> None:
    """One request from sending to its end, whichever that is; only an error of the program itself comes out."""
    record.sent = now()
    patience = record.scheduled + (request.patience or float("inf")) - record.sent
    limit = asyncio.timeout(min(timeout, patience))
    try:
        async with limit, aclosing(endpoint.stream(request)) as chunks:
            async for chunk in chunks:
                record.note(chunk, now())
        record.outcome = "completed" if record.times else "failed"
        record.error = "" if record.times else "The server answered without any text."
    except EndpointError as error:
        record.outcome, record.error = "failed", str(error)
    except TimeoutError:
        if not limit.expired():
            raise
        record.outcome = "cancelled" if patience <= timeout else "timeout"
        record.error = f"Given up {min(timeout, patience):.3g} s after it was sent."
    record.ended = now()


def _stopwatch() -> Callable[[], float]:
    """Seconds since now, on the running loop's clock."""
    time = asyncio.get_running_loop().time
    start = time()
    return lambda: time() - start


@asynccontextmanager
async def _tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group out of which the first error comes as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _run(loop: Literal["open", "closed"], records: list[Record], seconds: float) -> Run:
    if not records:
        raise ValueError("A workload has at least one request; this one has none.")
    return Run(loop, tuple(sorted(records, key=lambda r: r.scheduled)), seconds)
