"""A client of a server over a real socket, and what it must find whole again when it leaves."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2

from labkit.throughput.sse import EventParser
from tests.serving.served import MODEL, served

PROMPT = "How high is the tower?"


@asynccontextmanager
async def asking(decoder=None, **limits):
    """`post(path, **fields)`, which gives the response, the service, and a client."""
    async with (
        served(decoder, **limits) as (address, service),
        httpx2.AsyncClient(base_url=address, timeout=120, trust_env=False, verify=False) as client,
    ):

        async def post(path="/v1/completions", **fields):
            return await client.post(path, json={"model": MODEL, "temperature": 0, **fields})

        yield post, service, client
        assert service.engine.scheduler.idle
        pool = service.engine.scheduler.pool
        assert pool.num_free == pool.num_blocks, "the pool is whole again"


def run(test, *arguments, **limits):
    async def main():
        async with asking(*arguments, **limits) as given:
            return await test(*given)

    return asyncio.run(main())


def events_of(response):
    """The data of each event, of which the last says that it is done."""
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, last = EventParser().feed(response.content)
    assert last == "[DONE]"
    return [json.loads(event) for event in events]


def raw_post(*headers, **fields):
    """The bytes of a request for a completion, for who wants the socket for himself."""
    body = json.dumps({"model": MODEL, **fields}).encode()
    lines = ["POST /v1/completions HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
