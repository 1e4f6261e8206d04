"""An OpenAI-compatible server on this machine in front of any `Endpoint`: what it costs to go over HTTP, and no more.

Put a `SimulatedServer` behind it and the truth of every latency is known, but for what the client, the sockets and this
front add. A stand-in for measurements, not a server to offer anybody: it understands the requests of
`OpenAIEndpoint` and listens on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from labkit.throughput.endpoint import Chunk, Endpoint
from labkit.throughput.request import Request
from labkit.throughput.simulated import Service, SimulatedServer

MODEL = "simulated"


@asynccontextmanager
async def loopback_server(endpoint: Endpoint, port: int = 0) -> AsyncIterator[str]:
    """Serves while the block runs; gives the address. Port 0 takes a free one."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read(reader):
                await _answer(endpoint, *request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up; leaving closes the endpoint's generator
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> tuple[str, Any] | None:
    """Path and JSON of one request (RFC 9112), or None where the connection ends instead."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    path = head.split(" ", 2)[1]
    lines = (line.partition(":") for line in head.splitlines()[1:])
    length = next((int(value) for name, _, value in lines if name.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    return path, json.loads(body) if body else None


async def _answer(endpoint: Endpoint, path: str, asked: Any, writer: asyncio.StreamWriter) -> None:
    if asked is None:
        _whole(writer, "200 OK", {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
    elif asked["model"] != MODEL:
        _whole(writer, "404 Not Found", {"error": {"message": f"The model {asked['model']!r} does not exist."}})
    else:
        await _stream(endpoint, path, asked, writer)
    await writer.drain()


async def _stream(endpoint: Endpoint, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    prompt = asked["prompt"] if "prompt" in asked else asked["messages"][-1]["content"]
    length = len(prompt.split() if isinstance(prompt, str) else prompt)
    async with aclosing(endpoint.stream(Request(0.0, prompt, length, asked["max_tokens"]))) as chunks:
        async for chunk in chunks:
            _event(writer, json.dumps(_event_of(chunk, path, None)))
            await writer.drain()
    _event(writer, json.dumps(_event_of(Chunk(""), path, "length")))
    _event(writer, "[DONE]")
    writer.write(b"0\r\n\r\n")


def _event_of(chunk: Chunk, path: str, finish_reason: str | None) -> dict[str, Any]:
    text = {"delta": {"content": chunk.text}} if "chat" in path else {"text": chunk.text}
    usage = {"completion_tokens": chunk.output_tokens, "prompt_tokens": chunk.prompt_tokens}
    return {"choices": [{"index": 0, **text, "finish_reason": finish_reason}], "usage": usage}


def _event(writer: asyncio.StreamWriter, data: str) -> None:
    event = f"data: {data}\n\n".encode()
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))


def _whole(writer: asyncio.StreamWriter, status: str, value: Any) -> None:
    body = json.dumps(value).encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    writer.write(body)


async def _serve(port: int, prefill: float, per_token: float, slots: int) -> None:
    server = SimulatedServer(lambda _: Service(prefill, per_token), slots)
    async with loopback_server(server, port) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.throughput.loopback", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the address is printed")
    parser.add_argument("--prefill", type=float, default=0.02, help="seconds to the first token")
    parser.add_argument("--per-token", type=float, default=0.0, help="seconds of each further token")
    parser.add_argument("--slots", type=int, default=1, help="requests served at once")
    asyncio.run(_serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
