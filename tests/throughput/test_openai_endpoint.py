"""The HTTP client against real sockets on this machine: what it sends, and what it makes of answers and failures."""

import asyncio
import itertools
import json
import re
from contextlib import asynccontextmanager

import pytest

from labkit.throughput.driving import closed_loop, open_loop
from labkit.throughput.endpoint import EndpointError
from labkit.throughput.loopback import MODEL, loopback_server
from labkit.throughput.openai_endpoint import OpenAIEndpoint
from labkit.throughput.request import Request
from labkit.throughput.simulated import Service, SimulatedServer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ASKED = Request(0.0, "one two three", 3, 4)


def piece(text, **fields):
    return b"data: " + json.dumps({"choices": [{"index": 0, "text": text, **fields}]}).encode() + b"\n\n"


@asynccontextmanager
async def canned(*answers, seen=None):
    """A server that gives these bytes in turn, whatever it is asked, and notes what it was asked."""
    following = itertools.cycle(answers)

    async def connection(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int((head.lower().partition(b"content-length: ")[2] or b"0\r\n").partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if seen is not None:
            seen.append((head.decode(), json.loads(body) if body else None))
        try:
            for part in next(following):
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}"


def ask(answer, request=ASKED, **options):
    """One request against canned bytes; the record of what came, and what the server was asked."""

    async def main():
        seen = []
        async with canned(answer, seen=seen) as url, OpenAIEndpoint(url, "m", **options) as endpoint:
            run = await open_loop(endpoint, [request], timeout=20)
        return run.records[0], seen[0]

    return asyncio.run(main())


@pytest.mark.parametrize("interface", ["completions", "chat"])
def test_a_simulated_service_over_http(interface):
    """Lengths and counts go through; times are no less than the service takes."""

    async def main():
        server = SimulatedServer(lambda _: Service(0.02, 0.005))
        async with loopback_server(server) as url, OpenAIEndpoint(url + "/v1/", MODEL, interface) as endpoint:
            await endpoint.check()
            return await open_loop(endpoint, [Request(0.01 * n, "one two three", 3, 4) for n in range(10)])

    run = asyncio.run(main())
    assert [r.outcome for r in run.records] == ["completed"] * 10
    for record in run.records:
        assert (record.tokens_read, record.tokens_written, list(record.totals)) == (3, 4, [1, 2, 3, 4])
    # Ten connections may reach the server in any order, so it is the order of service that is asked about.
    for place, first in enumerate(sorted(record.times[0] for record in run.records)):
        assert first > place * 0.035 + 0.0199, "no sooner than the service allows"


def test_what_is_sent():
    record, (head, body) = ask([HEAD, piece("a", finish_reason="stop")], options={"ignore_eos": True}, api_key="secret")
    assert record.completed
    assert head.startswith("POST /v1/completions HTTP/1.1\r\n")
    assert "authorization: bearer secret" in head.lower()
    assert body == {
        "model": "m",
        "prompt": "one two three",
        "max_tokens": 4,
        "stream": True,
        "temperature": 0,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
    }


def test_what_is_sent_to_a_chat_and_as_numbers():
    _, (head, body) = ask([HEAD, b"data: [DONE]\n\n"], interface="chat")
    assert head.startswith("POST /v1/chat/completions")
    assert body["messages"] == [{"role": "user", "content": "one two three"}]
    _, (_, body) = ask([HEAD, b"data: [DONE]\n\n"], Request(0.0, (5, 6), 2, 4))
    assert body["prompt"] == [5, 6]
    with pytest.raises(ValueError, match="takes text"):
        ask([HEAD], Request(0.0, (5, 6), 2, 4), interface="chat")


def test_a_chat_begins_with_its_text_and_thinking_is_text():
    def delta(**fields):
        return b"data: " + json.dumps({"choices": [{"delta": fields}]}).encode() + b"\n\n"

    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}\n\n'
    parts = [HEAD, delta(role="assistant", content=""), delta(reasoning_content="hm"), delta(content="yes"), usage]
    record, _ = ask([*parts, b"data: [DONE]\n\n"], interface="chat")
    assert (record.outcome, len(record.times), record.tokens_written, record.tokens_read) == ("completed", 2, 5, 9)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([HEAD, piece("a")], "the answer stopped before its end was announced"),
        ([HEAD, b"data: {not json\n\n"], "an event is not a chunk of a completion: {not json"),
        ([HEAD, b"data: 7\n\n"], "an event is not a chunk"),
        ([HEAD, b'data: {"choices": 7}\n\n'], "an event is not a chunk"),
        ([HEAD, piece(["a"])], "an event is not a chunk"),
        ([HEAD, b'data: {"choices": [], "usage": {"completion_tokens": "9"}}\n\n'], "an event is not a chunk"),
        ([HEAD, piece("a"), b'data: {"error": {"message": "out of memory"}}\n\n'], "the server's error: out of memory"),
        ([HEAD, b"data: \xff\n\n"], "not UTF-8"),
        ([HEAD, *[b"x" * (1 << 16)] * 32], "an event is longer than 1048576 bytes"),
        ([HEAD, *[piece("a")] * 200], "it goes on where 4 tokens were asked for"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", piece("a")], "broke off in the middle of an answer"),
        ([b"nonsense\r\n\r\n"], "broke off in the middle"),
        (
            [b'HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{"error": {"message": "no model m"}}'],
            "answered 404 to a request for 'm': no model m",
        ),
        ([b'HTTP/1.1 422 X\r\nConnection: close\r\n\r\n{"detail": "too long"}'], "answered 422 .* too long"),
        ([b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n<html>\noops", *[b"x" * 1000] * 300], "500 .*<html> oops"),
        ([b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n"], "answered 307"),
    ],
)
def test_servers_gone_wrong_are_told_in_a_sentence(answer, told):
    record, _ = ask(answer)
    assert record.outcome == "failed"
    assert re.search(told, record.error)
    assert "http://127.0.0.1:" in record.error
    assert len(record.error) < 400


def test_nobody_there():
    async def main():
        async with canned([b""]) as url:
            pass
        async with OpenAIEndpoint(url, "m") as endpoint:
            with pytest.raises(EndpointError, match=r"No server answers at http://127\.0\.0\.1"):
                await endpoint.check()
            return await open_loop(endpoint, [ASKED])

    assert "is it running, and is the port right?" in asyncio.run(main()).records[0].error


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"data": [{"id": "other"}]}', "does not offer the model 'm'; it offers other"),
        (b'{"data": []}', "it offers none"),
        (b"<html>", "no list of models at /v1/models: <html>"),
        (b"[]", "no list of models"),
    ],
)
def test_a_wrong_model_is_told_before_the_run(answer, told):
    async def main():
        reply = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer]
        async with canned(reply) as url, OpenAIEndpoint(url, "m") as endpoint:
            await endpoint.check()

    with pytest.raises(EndpointError, match=told):
        asyncio.run(main())


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://host", "http://host:port", ""])
def test_what_is_no_address_is_told(address):
    with pytest.raises(ValueError, match="is no address of a server"):
        OpenAIEndpoint(address, "m")


def test_hanging_up_frees_the_server():
    """The first user leaves in the middle of an answer that would never end; the second is served."""

    async def main():
        lengths = iter([Service(0.0, 0.01), Service(0.0, 0.0)])
        async with (
            loopback_server(SimulatedServer(lambda _: next(lengths))) as url,
            OpenAIEndpoint(url, MODEL) as endpoint,
        ):
            impatient = Request(0.0, "x", 1, 1_000_000, patience=0.5)
            return await open_loop(endpoint, [impatient, Request(0.1, "x", 1, 2)], timeout=60)

    run = asyncio.run(main())
    assert [r.outcome for r in run.records] == ["cancelled", "completed"]
    assert run.records[1].times[0] > 0.499


def test_a_connection_serves_the_next_request_too(monkeypatch):
    accepted, start_server = [], asyncio.start_server

    async def counting(connected, *address):
        async def connection(reader, writer):
            accepted.append(writer)
            await connected(reader, writer)

        return await start_server(connection, *address)

    monkeypatch.setattr(asyncio, "start_server", counting)

    async def main():
        server = SimulatedServer(lambda _: Service(0.001), slots=2)
        async with loopback_server(server) as url, OpenAIEndpoint(url, MODEL) as endpoint:
            return await closed_loop(endpoint, [ASKED] * 20, users=2)

    assert len(asyncio.run(main()).completed) == 20
    assert len(accepted) == 2


def test_two_hundred_at_once_are_all_sent_before_any_is_answered():
    async def main():
        server = SimulatedServer(lambda _: Service(0.0), slots=200)
        async with loopback_server(server) as url, OpenAIEndpoint(url, MODEL) as endpoint:
            return await open_loop(endpoint, [ASKED] * 200)

    run = asyncio.run(main())
    assert len(run.completed) == 200
    assert max(r.sent for r in run.records) < min(r.times[0] for r in run.records)
