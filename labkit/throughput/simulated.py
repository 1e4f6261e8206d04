"""A server of known behaviour: one line, first come first served, whose service times are an argument.

It answers on whatever clock the event loop has. In virtual time it is the ground truth of the metrics; behind
`loopback` it is a real server on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from labkit.throughput.endpoint import Chunk
from labkit.throughput.request import Request


class Service(NamedTuple):
    """Seconds until the first token once it is a request's turn, and seconds of each further token."""

    prefill: float
    per_token: float = 0.0


class SimulatedServer:
    """`slots` requests are served at once, the others wait in line; each takes what `service(request)` says.

    Every token comes as a chunk of its own. The prompt's length is read as it was asked.
    """

    def __init__(self, service: Callable[[Request], Service], slots: int = 1) -> None:
        if slots < 1:
            raise ValueError(f"A server serves at least one request at a time; got {slots} slots.")
        self._service, self._turn = service, asyncio.Semaphore(slots)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async with self._turn:
            prefill, per_token = self._service(request)
            await asyncio.sleep(prefill)
            for written in range(1, request.output_length + 1):
                yield Chunk("token ", written, request.input_length)
                if written < request.output_length:
                    await asyncio.sleep(per_token)
