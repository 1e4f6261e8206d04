"""Over real sockets: a model that breaks or has no numbers fails whom it must, and says so."""

import asyncio
import json

import pytest

from labkit.generation.stopping import at_tokens
from labkit.throughput.sse import EventParser
from tests.serving.asking import events_of, run
from tests.serving.served import alone, model, text_of
from tests.threads import one_thread  # noqa: F401


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
