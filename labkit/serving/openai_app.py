"""The service as an ASGI application: five paths that OpenAI's clients know, answers whole or in pieces.

An answer's status is sent with its first piece, so whatever goes wrong before has a status of its own. A client that
hangs up cancels its request, wherever that stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from labkit.serving.completion_request import CompletionRequest, read_request
from labkit.serving.engine import AnswerLostError, EngineStoppedError
from labkit.serving.json_fields import RefusedError
from labkit.serving.openai_errors import HANDLERS
from labkit.serving.openai_objects import AnswerObjects, error_object, event, models_object
from labkit.serving.service import Piece, Service

LARGEST_BODY = 1 << 20
"""Bytes of a request that are kept; one with more is read to its end, so that its sender hears why, and refused."""
LARGEST_READ = 1 << 26
"""Bytes of a request after which no more is read."""


def openai_app(service: Service, patience: float = 60.0) -> Starlette:
    """What any ASGI server can serve. A client has `patience` seconds to send its request."""

    async def models(_: Request) -> Response:
        return JSONResponse(models_object(service.offer.name, service.offer.context))

    async def health(_: Request) -> Response:
        healthy = service.engine.running
        return JSONResponse({"status": "ok" if healthy else "the engine does not run"}, 200 if healthy else 503)

    async def metrics(_: Request) -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes = [
        Route("/v1/completions", Completions(service, chat=False, patience=patience), methods=["POST"]),
        Route("/v1/chat/completions", Completions(service, chat=True, patience=patience), methods=["POST"]),
        Route("/v1/models", models),
        Route("/health", health),
        Route("/metrics", metrics),
    ]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


class Completions:
    """Answers whole or in pieces."""

    def __init__(self, service: Service, chat: bool, patience: float) -> None:
        self.service, self.chat, self.patience = service, chat, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        _refuse_foreign_pages(request.headers)
        asked = read_request(await _body(request, self.patience), self.service.offer, self.chat)
        await _while_connected(receive, send, partial(self._answer, asked, request))

    async def _answer(self, asked: CompletionRequest, request: Request, send: Send) -> None:
        objects = AnswerObjects(self.service.offer.name, asked, self.chat)
        async with aclosing(self.service.answer(asked)) as pieces:
            try:
                first = await anext(pieces)
            except ValueError as error:  # of the scheduler
                raise RefusedError(str(error), code="context_length_exceeded") from None
            if asked.stream:
                events = _events(objects, asked, first, pieces)
                headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
                await StreamingResponse(events, headers=headers).stream_response(send)
            else:
                texts, last = [first.text], first
                async for last in pieces:
                    texts.append(last.text)
                await JSONResponse(objects.whole("".join(texts), last))(request.scope, request.receive, send)


async def _events(
    objects: AnswerObjects, asked: CompletionRequest, first: Piece, pieces: AsyncGenerator[Piece, None]
) -> AsyncGenerator[bytes, None]:
    yield event(objects.chunk(first, first=True))
    last = first
    try:
        async for last in pieces:
            yield event(objects.chunk(last))
    except (AnswerLostError, EngineStoppedError) as error:  # too late for a status
        yield event(error_object(str(error), 500))
        return
    if asked.include_usage:
        yield event(objects.closing_usage(last))
    yield event("[DONE]")


async def _while_connected(receive: Receive, send: Send, answer: Callable[[Send], Coroutine[Any, Any, None]]) -> None:
    """Runs `answer` to its end, or to where the client hangs up: there is nothing else left to receive.

    Servers take what is sent to nobody without a word. An answer that lies ready would so run to its end in one go,
    before its task could be cancelled, and count as completed; so each message asks first who is there.
    """
    leaving = asyncio.create_task(receive())

    async def send_to_client(message: Message) -> None:
        await asyncio.sleep(0)  # lets `leaving` hear of it
        if leaving.done():
            raise ClientDisconnect
        await send(message)

    answering = asyncio.create_task(answer(send_to_client))
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        left = not answering.done()
        answering.cancel()
        leaving.cancel()
        await asyncio.wait((answering, leaving))
    if not left:
        with suppress(ClientDisconnect):
            answering.result()


async def _body(request: Request, patience: float) -> bytes:
    kept, size = bytearray(), 0
    try:
        async with asyncio.timeout(patience):
            async for part in request.stream():
                size += len(part)
                kept += part if size <= LARGEST_BODY else b""
                if size > LARGEST_READ:
                    break
    except TimeoutError:
        raise RefusedError(f"The request did not arrive within {patience:g} seconds.", status=408) from None
    if size > LARGEST_BODY:
        raise RefusedError(f"The body has more than {LARGEST_BODY} bytes.", status=413)
    return bytes(kept)


def _refuse_foreign_pages(headers: Headers) -> None:
    """A page in the user's browser can reach loopback too; only what runs outside of one, or came from here, may ask.

    Browsers say where it came from in `Sec-Fetch-Site` (W3C, "Fetch Metadata Request Headers"), old ones in `Origin`.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != headers.get("Host"):
        site = "cross-site"
    if site not in (None, "none", "same-origin"):
        raise RefusedError("A page from elsewhere may not ask.", status=403)
