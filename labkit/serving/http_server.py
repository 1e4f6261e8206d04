"""The service over HTTP, as OpenAI's clients speak it, by Tornado, which JupyterLab brings anyway.

On loopback unless told otherwise: there is no key and no encryption. Memory is bounded on every side: a body by its
size, the line by the engine, an answer by its length, and a reader that takes nothing is hung up on after a while. An
answer's status is sent with its first piece, so whatever goes wrong before has a status of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body

from labkit.serving.completion_request import CompletionRequest, read_request
from labkit.serving.engine import EngineBusyError, EngineStoppedError
from labkit.serving.json_fields import RefusedError
from labkit.serving.openai_objects import AnswerObjects, error_object, event, models_object
from labkit.serving.service import Piece, Service

LARGEST_BODY = 1 << 20
"""Bytes of a request that are kept; one with more is read to its end, so that its sender hears why, and refused."""
LARGEST_READ = 1 << 26
"""Bytes of a request after which the connection is cut instead."""
LINE_OF_CONNECTIONS = 2048
"""Connections that the system keeps until they are accepted."""


@asynccontextmanager
async def openai_server(
    service: Service, host: str = "127.0.0.1", port: int = 0, stalled: float = 60.0
) -> AsyncIterator[str]:
    """Serves while the block runs; gives the address. Port 0 takes a free one.

    A client that takes nothing of its answer for `stalled` seconds is hung up on. Raises `OSError` for a port in use.
    """
    routes = [
        (r"/v1/completions", CompletionHandler, {"service": service, "chat": False, "stalled": stalled}),
        (r"/v1/chat/completions", CompletionHandler, {"service": service, "chat": True, "stalled": stalled}),
        (r"/v1/models", ModelsHandler, {"service": service}),
        (r"/health", HealthHandler, {"service": service}),
        (r"/metrics", MetricsHandler, {"service": service}),
    ]
    # A page in the user's browser can reach loopback too; only what runs outside of one, or came from here, may ask.
    application = Application(routes, default_handler_class=Handler, cross_origin_protection=True)
    server = HTTPServer(application, max_body_size=LARGEST_READ, body_timeout=stalled)
    sockets = bind_sockets(port, host, backlog=LINE_OF_CONNECTIONS)
    server.add_sockets(sockets)
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{sockets[0].getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


@stream_request_body
class Handler(RequestHandler):
    """What all have in common; by itself it answers for paths that do not exist."""

    def initialize(self, service: Service | None = None) -> None:
        self.service, self.body = service, bytearray()

    def data_received(self, chunk: bytes) -> None:
        if len(self.body) <= LARGEST_BODY:
            self.body += chunk

    def prepare(self) -> None:
        if self.service is None:
            self.send_error(404)

    def refuse(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        self.set_status(status)
        self.finish(error_object(message, status, param, code))

    def write_error(self, status_code: int, **_: Any) -> None:
        messages = {
            404: f"There is nothing at {self.request.path}.",
            405: f"{self.request.path} does not take {self.request.method}.",
        }
        self.finish(error_object(messages.get(status_code, self._reason), status_code))


class ModelsHandler(Handler):
    def get(self) -> None:
        self.finish(models_object(self.service.offer.name, self.service.offer.context))


class HealthHandler(Handler):
    def get(self) -> None:
        healthy = self.service.engine.running
        self.set_status(200 if healthy else 503)
        self.finish({"status": "ok" if healthy else "the engine does not run"})


class MetricsHandler(Handler):
    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(self.service.metrics.text())


class CompletionHandler(Handler):
    """Answers whole or in pieces; a client that hangs up cancels its request."""

    def initialize(self, service: Service, chat: bool, stalled: float) -> None:
        super().initialize(service)
        self.chat, self.stalled, self._answer = chat, stalled, None

    async def post(self) -> None:
        if len(self.body) > LARGEST_BODY:
            self.refuse(413, f"The body has more than {LARGEST_BODY} bytes.")
            return
        self._answer = asyncio.create_task(self._answered())
        with suppress(asyncio.CancelledError, StreamClosedError):
            await self._answer

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._answer:
            self._answer.cancel()

    async def _answered(self) -> None:
        try:
            asked = read_request(bytes(self.body), self.service.offer, self.chat)
            objects = AnswerObjects(self.service.offer.name, asked, self.chat)
            async with aclosing(self.service.answer(asked)) as pieces:
                try:
                    first = await anext(pieces)
                except ValueError as error:  # of the scheduler
                    raise RefusedError(str(error), code="context_length_exceeded") from None
                await (self._stream if asked.stream else self._whole)(objects, asked, first, pieces)
        except RefusedError as error:
            self.refuse(error.status, str(error), error.param, error.code)
        except EngineBusyError as error:
            self.set_header("Retry-After", "1")
            self.refuse(503, str(error))
        except EngineStoppedError as error:
            self.refuse(500, str(error))

    async def _whole(
        self, objects: AnswerObjects, asked: CompletionRequest, first: Piece, pieces: AsyncGenerator[Piece, None]
    ) -> None:
        texts, last = [first.text], first
        async for last in pieces:
            texts.append(last.text)
        await self._taken(self.finish(objects.whole("".join(texts), last)))

    async def _stream(
        self, objects: AnswerObjects, asked: CompletionRequest, first: Piece, pieces: AsyncGenerator[Piece, None]
    ) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        await self._send(objects.chunk(first, first=True))
        last = first
        try:
            async for last in pieces:
                await self._send(objects.chunk(last))
        except EngineStoppedError as error:  # too late for a status
            await self._send(error_object(str(error), 500))
            return
        if asked.include_usage:
            await self._send(objects.closing_usage(last))
        await self._send("[DONE]")

    async def _send(self, data: dict[str, Any] | str) -> None:
        self.write(event(data))
        await self._taken(self.flush())

    async def _taken(self, written: Awaitable[None]) -> None:
        """Waits until the system has taken all, so that a slow reader's answer stays in the engine, as numbers."""
        if not self.request.connection.stream.writing():
            return  # as a rule it has
        try:
            async with asyncio.timeout(self.stalled):
                await written
        except TimeoutError:
            self.request.connection.close()
            raise StreamClosedError from None
