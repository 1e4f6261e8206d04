"""Over real sockets: what is refused, with which status and sentence, and who waits in line."""

import asyncio

import numpy as np
import pytest

from labkit.serving import openai_app
from labkit.throughput import OpenAIEndpoint, open_loop, workload
from labkit.throughput.request import token_numbers
from tests.serving.asking import run
from tests.serving.served import CONTEXT, MODEL
from tests.threads import one_thread  # noqa: F401

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


def test_who_never_ends_a_request_is_told_so():
    async def test(post, service, client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        status = await reader.readline()
        writer.close()
        return status

    assert b" 408 " in run(test, stalled=0.2)


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
