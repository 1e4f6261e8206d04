"""The service over HTTP, by uvicorn: sockets, slow readers, and an end that waits for nobody.

On loopback unless told otherwise: there is no key and no encryption. Memory is bounded on every side: a body by its
size, the line by the engine, connections by their number, an answer by its length, and a reader that takes nothing is
hung up on after a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from labkit.serving.openai_app import openai_app
from labkit.serving.service import Service

MOST_CONNECTIONS = 2048
"""Connections that are served at once; the system keeps as many more in line."""
IDLE = 75
"""Seconds after which a connection is closed on which nothing was asked."""


@asynccontextmanager
async def openai_server(
    service: Service, host: str = "127.0.0.1", port: int = 0, stalled: float = 60.0
) -> AsyncIterator[str]:
    """Serves while the block runs; gives the address. Port 0 takes a free one.

    A client that takes nothing of its answer for `stalled` seconds is hung up on. Raises `OSError` for a port in use.
    """
    listening = listen(host, port)
    server = Server(
        uvicorn.Config(
            openai_app(service, patience=stalled),
            http=partial(Connection, stalled=stalled),
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="error",
            backlog=MOST_CONNECTIONS,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await serving


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; who comes before the server does waits in line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)


class Server(uvicorn.Server):
    """uvicorn's, which leaves signals to whoever runs the event loop: a notebook has its own use for Ctrl-C."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Connection(H11Protocol):
    """One client. An answer waits in the engine, as numbers, until the system has taken what was written before."""

    def __init__(self, *arguments: Any, stalled: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stalled = stalled

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._hanging_up = self.loop.call_later(self._stalled, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._hanging_up.cancel()
