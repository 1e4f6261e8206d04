"""Connections to one server, each with a client of its own, and no limit on their number.

A pool that makes a request wait for a connection hides that wait, and one that looks through all of its connections for
each request costs the load generator time that grows with the square of the requests in flight: with 200 of them, a
shared pool took 2.8 times the processor time a token that clients with a connection each took (httpx2 2.16.2).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2


class Connections:
    """Idle clients on a stack: the one used last is used next, so that few stay warm where few are needed."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self._base_url, self._headers = base_url, headers
        self._certificates = ssl.create_default_context()  # read once; every client would read them again
        self._idle: list[httpx2.AsyncClient] = []

    @contextmanager
    def one(self) -> Iterator[httpx2.AsyncClient]:
        """A client that nobody else uses until the block ends; it opens its connection again where that broke."""
        client = self._idle.pop() if self._idle else self._new()
        try:
            yield client
        finally:
            self._idle.append(client)

    async def close(self) -> None:
        """Closes what is idle, which is all once every request is over."""
        while self._idle:
            await self._idle.pop().aclose()

    def _new(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._base_url,
            headers=self._headers,
            timeout=None,  # the load generator limits each request as a whole
            trust_env=False,  # a proxy would be measured too
            verify=self._certificates,
        )
