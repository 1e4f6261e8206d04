"""Over real sockets: clients that hang up, read slowly or not at all, and a server that ends before they do."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from labkit.generation.stopping import at_tokens
from labkit.serving import http_server
from tests.serving.asking import PROMPT, raw_post, run
from tests.serving.served import alone, served, text_of
from tests.threads import one_thread  # noqa: F401


def hang_up_after(events, stream=True):
    """What a client does that closes its socket after so many events of an answer that would be long."""

    async def leave(client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(raw_post(prompt=[9, 8, 7], max_tokens=200, stream=stream, ignore_eos=True))
        for _ in range(events):
            while not (await reader.readline()).startswith(b"data:"):
                pass
        await asyncio.sleep(0.05)
        writer.close()

    return leave


async def until_idle(service):
    async with asyncio.timeout(60):
        while not service.engine.scheduler.idle:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("leave", [hang_up_after(3), hang_up_after(0, stream=False), hang_up_after(0)])
def test_who_hangs_up_is_forgotten(leave):
    async def test(post, service, client):
        await asyncio.gather(*(leave(client) for _ in range(5)))
        await until_idle(service)
        return await post(prompt=PROMPT, max_tokens=3), (await client.get("/metrics")).text

    answer, metrics = run(test, max_num_seqs=2)
    assert answer.json()["choices"][0]["text"] == text_of(alone(PROMPT, 3))
    assert 'labkit_requests_total{outcome="cancelled"} 5.0' in metrics


@asynccontextmanager
async def slow_reader(client):
    """A socket whose buffers hold a few events, on which an answer of 200 tokens has begun."""
    with socket.socket() as waiting:
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        waiting.connect((client.base_url.host, client.base_url.port))
        waiting.setblocking(False)
        fields = {"prompt": [9, 8, 7], "max_tokens": 200, "stream": True, "ignore_eos": True, "temperature": 0}
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(waiting, raw_post("Connection: close", **fields))
        assert await loop.sock_recv(waiting, 1) == b"H", "of HTTP"
        yield waiting


listen = http_server.listen


def small_buffers(*address):
    """Sockets of the server inherit it from the one that listens."""
    listening = listen(*address)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024)
    return listening


async def everything(reader):
    received = b""
    while part := await asyncio.get_running_loop().sock_recv(reader, 4096):
        received += part
    return received


def test_a_slow_reader_holds_no_blocks_and_gets_everything(monkeypatch):
    monkeypatch.setattr(http_server, "listen", small_buffers)

    async def test(post, service, client):
        async with slow_reader(client) as reader:
            await until_idle(service)
            assert service.engine.scheduler.pool.num_free == service.engine.scheduler.pool.num_blocks
            assert 'outcome="completed"' not in (await client.get("/metrics")).text, "its answer is still on its way"
            return await everything(reader)

    received = run(test)
    data = [line[6:] for line in received.split(b"\n") if line.startswith(b"data: {")]
    texts = [json.loads(event)["choices"][0]["text"] for event in data]
    assert "".join(texts) == text_of(alone([9, 8, 7], 200, stop=at_tokens(-1)))


@pytest.mark.parametrize("stalled", [0.05, 2.0], ids=["while the model writes", "long after it has written all"])
def test_a_reader_that_takes_nothing_is_hung_up_on(monkeypatch, stalled):
    monkeypatch.setattr(http_server, "listen", small_buffers)

    async def test(post, service, client):
        async with slow_reader(client) as reader:
            await until_idle(service)
            async with asyncio.timeout(60):
                while 'outcome="cancelled"' not in (await client.get("/metrics")).text:
                    await asyncio.sleep(0.05)
            return await everything(reader)

    assert b"[DONE]" not in run(test, stalled=stalled)


def test_its_end_waits_for_nobody():
    async def main():
        async with served() as (address, service):
            url = httpx2.URL(address)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(raw_post(prompt=[5], max_tokens=200, ignore_eos=True, stream=True))
            await reader.readuntil(b"data:")
        with suppress(ConnectionError):  # or an end like any other
            while await reader.read(1 << 16):
                pass
        writer.close()
        return service

    service = asyncio.run(main())
    pool = service.engine.scheduler.pool
    assert pool.num_free == pool.num_blocks
