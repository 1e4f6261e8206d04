"""What a queue must do, calculated without any event loop, and the shortest way to drive one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from labkit.throughput.driving import open_loop
from labkit.throughput.record import Run
from labkit.throughput.request import Request
from labkit.throughput.simulated import Service, SimulatedServer
from labkit.throughput.virtual import run_virtual


def waits(arrivals: Sequence[float], services: Sequence[float], slots: int = 1) -> list[float]:
    """Seconds in line of each request, first come first served (Lindley; Kiefer and Wolfowitz for several slots)."""
    free, found = [0.0] * slots, []
    for arrival, service in zip(arrivals, services, strict=True):
        start = max(arrival, heapq.heappop(free))
        heapq.heappush(free, start + service)
        found.append(start - arrival)
    return found


def asked(arrivals: Iterable[float], output_length: int = 1, patience: float | None = None) -> list[Request]:
    """Requests at those instants; prompts do not matter."""
    return [Request(float(at), "", 1, output_length, patience) for at in arrivals]


def served(requests: Iterable[Request], services: Iterable[float], slots: int = 1, **options) -> Run:
    """An open loop against a server that takes `services` in turn, in virtual time."""
    following = iter(services)

    async def main() -> Run:
        server = SimulatedServer(lambda _: Service(next(following)), slots)
        return await open_loop(server, requests, **options)

    return run_virtual(main())
