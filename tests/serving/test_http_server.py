"""The server over real sockets on this machine: answers, streams, status codes, and what misbehaving clients leave."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress

import httpx2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labkit.generation.sampling import Sampling
from labkit.generation.stopping import at_tokens
from labkit.serving import http_server, openai_app
from labkit.throughput import OpenAIEndpoint, open_loop, workload
from labkit.throughput.request import token_numbers
from labkit.throughput.sse import EventParser
from tests.serving.served import CONTEXT, END, MODEL, TOKENIZER, alone, chat_tokens, model, served, text_of
from tests.threads import one_thread  # noqa: F401

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


def test_a_whole_answer():
    async def test(post, *_):
        return (await post(prompt=PROMPT, max_tokens=12)).raise_for_status().json()

    answer, written = run(test), alone(PROMPT, 12)
    (choice,) = answer["choices"]
    assert answer["object"] == "text_completion"
    assert choice["text"] == text_of(written)
    assert choice["finish_reason"] == ("stop" if written[-1] == END else "length")
    read = len(TOKENIZER(PROMPT)["input_ids"])
    usage = {"prompt_tokens": read, "completion_tokens": len(written), "total_tokens": read + len(written)}
    assert answer["usage"] == usage


def test_a_streamed_answer_is_the_whole_one_in_pieces():
    async def test(post, *_):
        options = {"include_usage": True, "continuous_usage_stats": True}
        return await post(prompt=PROMPT, max_tokens=12, stream=True, stream_options=options)

    *pieces, closing = events_of(run(test))
    written = alone(PROMPT, 12)
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == text_of(written)
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == [None] * (len(pieces) - 1) + ["length"]
    counts = [piece["usage"]["completion_tokens"] for piece in pieces]
    assert counts == sorted(counts)
    assert closing["choices"] == []
    assert closing["usage"] == pieces[-1]["usage"]
    assert closing["usage"]["completion_tokens"] == len(written)
    assert len({piece["id"] for piece in [*pieces, closing]}) == 1


def test_a_chat_whole_and_streamed():
    async def test(post, *_):
        asked = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8}
        return [await post("/v1/chat/completions", **asked, stream=stream) for stream in (False, True)]

    whole, streamed = run(test)
    expected = text_of(alone(chat_tokens(PROMPT), 8))
    (choice,) = whole.json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": expected}
    first, *later = events_of(streamed)
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert all("role" not in piece["choices"][0]["delta"] for piece in later)
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in [first, *later]) == expected
    assert {piece["object"] for piece in later} == {"chat.completion.chunk"}


def test_a_seed_gives_the_same_text_in_any_company():
    fields = {"prompt": PROMPT, "max_tokens": 10, "temperature": 1.2, "top_p": 0.9}

    async def test(post, *_):
        company = [post(**fields, seed=seed) for seed in (1, 2, 1, 3, 1)]
        return [r.json()["choices"][0]["text"] for r in await asyncio.gather(*company)]

    texts = run(test)
    assert texts == [text_of(alone(PROMPT, 10, Sampling(1.2, top_p=0.9), seed)) for seed in (1, 2, 1, 3, 1)]


def test_stop_texts_and_stop_tokens():
    free = alone([7, 8, 9], 40, stop=at_tokens(-1))
    whole = text_of(free)
    stop = whole[20:24]

    async def test(post, *_):
        stopped = await post(prompt=[7, 8, 9], max_tokens=40, stop=[stop, "never \x00"], ignore_eos=True)
        streamed = await post(prompt=[7, 8, 9], max_tokens=40, stop=stop, ignore_eos=True, stream=True)
        return stopped.json()["choices"][0], events_of(streamed)

    stopped, pieces = run(test)
    assert stopped["finish_reason"] == "stop"
    assert stopped["text"] == whole[: whole.index(stop)]
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == stopped["text"]


def test_the_models_end_is_the_answers_end():
    free = alone([7, 8, 9], 8, stop=at_tokens(-1))
    end = free[4]

    async def test(post, *_):
        ended, ignored = [await post(prompt=[7, 8, 9], max_tokens=8, ignore_eos=flag) for flag in (False, True)]
        return ended.json(), ignored.json()

    ended, ignored = run(test, model(end))
    assert ended["choices"][0]["finish_reason"] == "stop"
    assert ended["usage"]["completion_tokens"] == free.index(end) + 1
    assert ignored["usage"]["completion_tokens"] == 8


def test_the_load_generator_measures_it():
    requests = workload(np.arange(24) / 200, [9] * 24, [6] * 24, np.random.default_rng(0), token_numbers(4096))

    async def test(post, service, client):
        options = {"ignore_eos": True}
        async with OpenAIEndpoint(str(client.base_url), MODEL, options=options) as endpoint:
            await endpoint.check()
            return await open_loop(endpoint, requests)

    measured = run(test)
    assert len(measured.completed) == 24
    assert {record.tokens_written for record in measured.records} == {6}
    assert {record.prompt_tokens for record in measured.records} == {9}


def test_the_official_client_works_unmodified():
    openai = pytest.importorskip("openai")

    async def test(post, service, http):
        async with openai.AsyncOpenAI(base_url=f"{http.base_url}/v1", api_key="none") as client:
            assert [m.id async for m in client.models.list()] == [MODEL]
            asked = {"model": MODEL, "temperature": 0, "max_tokens": 8}
            whole = await client.completions.create(prompt=PROMPT, **asked)
            turns = [{"role": "user", "content": PROMPT}]
            stream = await client.chat.completions.create(messages=turns, stream=True, **asked)
            pieces = [chunk.choices[0].delta.content async for chunk in stream]
            with pytest.raises(openai.NotFoundError):
                await client.completions.create(prompt=PROMPT, **(asked | {"model": "gpt"}))
            return whole.choices[0].text, "".join(pieces)

    assert run(test) == (text_of(alone(PROMPT, 8)), text_of(alone(chat_tokens(PROMPT), 8)))


REFUSALS = [
    ("POST", "/v1/completions", b'{"model": "tiny", ', 400, "not JSON"),
    ("POST", "/v1/completions", b"\xff", 400, "not JSON"),
    ("POST", "/v1/completions", b'{"model": "gpt", "prompt": "x"}', 404, "does not exist"),
    ("POST", "/v1/completions", b'{"model": "tiny", "prompt": "x", "max_tokens": 1000}', 400, "256 tokens"),
    ("POST", "/v1/chat/completions", b'{"model": "tiny", "messages": []}', 400, "at least one message"),
    ("GET", "/v1/completions", b"", 405, "does not take GET"),
    ("POST", "/v1/models", b"", 405, "does not take POST"),
    ("GET", "/v1/nothing", b"", 404, "nothing at"),
    ("POST", "/v1/embeddings", b"{}", 404, "nothing at"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), REFUSALS)
def test_errors_have_a_status_and_a_sentence(method, path, body, status, message):
    async def test(_, service, client):
        return await client.request(method, path, content=body)

    response = run(test)
    assert response.status_code == status
    error = response.json()["error"]
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


def test_an_over_long_prompt_and_an_over_large_body():
    async def test(post, service, client):
        long = await post(prompt=[5] * CONTEXT)
        huge = await client.post("/v1/completions", content=b" " * (openai_app.LARGEST_BODY + 1))
        return long, huge, await post(prompt=[5], max_tokens=1)

    long, huge, after = run(test)
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert (huge.status_code, huge.json()["error"]["type"]) == (413, "invalid_request_error")
    assert after.status_code == 200


def test_a_page_from_elsewhere_may_not_ask():
    async def test(post, service, client):
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://elsewhere.example", "Content-Type": "text/plain"}
        return await client.post("/v1/completions", content=b'{"model": "tiny", "prompt": "x"}', headers=headers)

    assert run(test).status_code == 403


def test_who_finds_a_full_line_is_told_to_come_back():
    async def test(post, service, client):
        line = [post(prompt=[n], max_tokens=30) for n in range(12)]
        return await asyncio.gather(*line)

    answers = run(test, max_num_seqs=1, max_waiting=4)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    refused = answers[statuses.index(503)]
    assert refused.headers["retry-after"] == "1"
    assert "4 requests wait already" in refused.json()["error"]["message"]


@pytest.mark.slow
def test_a_thousand_in_line_are_all_served():
    requests = workload([0.0] * 1000, [5] * 1000, [2] * 1000, np.random.default_rng(0), token_numbers(4096))

    async def test(_, service, client):
        async with OpenAIEndpoint(str(client.base_url), MODEL, options={"ignore_eos": True}) as endpoint:
            measured = await open_loop(endpoint, requests, most_in_flight=1000)
        return measured, (await client.get("/metrics")).text

    measured, metrics = run(test, max_num_seqs=64)
    assert {record.output_tokens for record in measured.records} == {2}
    assert 'labkit_requests_total{outcome="completed"} 1000.0' in metrics


def hang_up_after(events, stream=True):
    """What a client does that closes its socket after so many events of an answer that would be long."""

    async def leave(client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        fields = {"model": MODEL, "prompt": [9, 8, 7], "max_tokens": 200, "stream": stream, "ignore_eos": True}
        body = json.dumps(fields).encode()
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
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
    """A socket whose buffers hold a few events, on which an answer of 200 tokens was asked for."""
    with socket.socket() as waiting:
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        waiting.connect((client.base_url.host, client.base_url.port))
        waiting.setblocking(False)
        fields = {"model": MODEL, "prompt": [9, 8, 7], "max_tokens": 200, "stream": True, "ignore_eos": True}
        body = json.dumps(fields | {"temperature": 0}).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        await asyncio.get_running_loop().sock_sendall(waiting, head + body)
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
            await asyncio.sleep(0.5)
            await until_idle(service)
            assert service.engine.scheduler.pool.num_free == service.engine.scheduler.pool.num_blocks
            assert 'outcome="completed"' not in (await client.get("/metrics")).text, "its answer is still on its way"
            return await everything(reader)

    received = run(test)
    data = [line[6:] for line in received.split(b"\n") if line.startswith(b"data: {")]
    texts = [json.loads(event)["choices"][0]["text"] for event in data]
    assert "".join(texts) == text_of(alone([9, 8, 7], 200, stop=at_tokens(-1)))


def test_a_reader_that_takes_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(http_server, "listen", small_buffers)

    async def test(post, service, client):
        async with slow_reader(client) as reader:
            await until_idle(service)
            async with asyncio.timeout(60):
                while 'outcome="cancelled"' not in (await client.get("/metrics")).text:
                    await asyncio.sleep(0.05)
            return await everything(reader)

    assert b"[DONE]" not in run(test, stalled=0.3)


def test_what_an_operator_reads():
    async def test(post, service, client):
        before = await client.get("/health")
        for _ in range(2):
            await post(prompt=[5] * 40, max_tokens=4, ignore_eos=True)
        return before, (await client.get("/metrics")).text, (await client.get("/v1/models")).json()

    health, text, models = run(test)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert [(m["id"], m["max_model_len"]) for m in models["data"]] == [(MODEL, CONTEXT)]
    found = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    assert found["labkit_requests_total"] == 2
    assert found["labkit_prompt_tokens_total"] == 80
    assert found["labkit_output_tokens_total"] == 8
    assert found["labkit_cached_tokens_total"] == 32, "two blocks of 16 for the second"
    assert found["labkit_cache_blocks_free"] == found["labkit_cache_blocks"] == 64
    assert found["labkit_time_to_first_token_seconds_count"] == 2
    assert found["labkit_inter_token_latency_seconds_count"] == 6


def damaged(change):
    """The model after `change`, which may spoil it."""
    model_ = type(model())(model().config).eval().requires_grad_(False)
    model_.load_state_dict(model().state_dict())
    change(model_)
    return model_


LOST = 3
"""A token at which the damaged model has no numbers."""


def spoil(model_):
    model_.embed_tokens.weight[LOST] = float("nan")


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_without_numbers_fails_alone(stream):
    async def test(post, service, client):
        asked = [[7, 8, 9], [7, LOST, 9], [9, 8, 7]]
        answers = [post(prompt=p, max_tokens=6, ignore_eos=True, stream=stream) for p in asked]
        return await asyncio.gather(*answers), await client.get("/health"), (await client.get("/metrics")).text

    (first, lost, last), health, metrics = run(test, damaged(spoil))
    assert (lost.status_code, lost.json()["error"]["type"]) == (500, "server_error")
    assert "hold NaN or infinity" in lost.json()["error"]["message"]
    for answer, prompt in ((first, [7, 8, 9]), (last, [9, 8, 7])):
        pieces = events_of(answer) if stream else [answer.json()]
        assert "".join(p["choices"][0]["text"] for p in pieces) == text_of(alone(prompt, 6, stop=at_tokens(-1)))
    assert health.status_code == 200
    assert 'labkit_requests_total{outcome="failed"} 1.0' in metrics


def test_numbers_that_are_lost_on_the_way_end_the_stream_with_an_error():
    written = alone([7, 8, 9], 6, stop=at_tokens(-1))

    def spoil_later(model_):
        model_.embed_tokens.weight[written[2]] = float("nan")

    async def test(post, *_):
        return await post(prompt=[7, 8, 9], max_tokens=6, ignore_eos=True, stream=True)

    response = run(test, damaged(spoil_later))
    *pieces, last = [json.loads(data) for data in EventParser().feed(response.content)]
    assert "".join(p["choices"][0]["text"] for p in pieces) == text_of(written[:3])
    assert "hold NaN or infinity" in last["error"]["message"]


def test_a_model_that_breaks_is_told_and_seen():
    async def test(post, service, client):
        broken = [await post(prompt=[5], max_tokens=3, stream=stream) for stream in (True, False)]
        return broken, await client.get("/health")

    def break_off(model_):
        model_.norm = None

    broken, health = run(test, damaged(break_off))
    for response in broken:
        assert response.status_code == 500
        assert response.json()["error"]["type"] == "server_error"
    assert health.status_code == 503


def test_who_never_ends_a_request_is_told_so():
    async def test(post, service, client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        status = await reader.readline()
        writer.close()
        return status

    assert b" 408 " in run(test, stalled=0.2)


def test_its_end_waits_for_nobody():
    async def main():
        async with served() as (address, service):
            url = httpx2.URL(address)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            body = json.dumps({"model": MODEL, "prompt": [5], "max_tokens": 200, "ignore_eos": True, "stream": True})
            head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())
            await reader.readuntil(b"data:")
        with suppress(ConnectionError):  # or an end like any other
            while await reader.read(1 << 16):
                pass
        writer.close()
        return service

    service = asyncio.run(main())
    pool = service.engine.scheduler.pool
    assert pool.num_free == pool.num_blocks
