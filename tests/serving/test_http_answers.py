"""Over real sockets: whole and streamed answers, chats, seeds and stops, for the clients that people have."""

import asyncio

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labkit.generation.sampling import Sampling
from labkit.generation.stopping import at_tokens
from labkit.throughput import OpenAIEndpoint, open_loop, workload
from labkit.throughput.request import token_numbers
from tests.serving.asking import PROMPT, events_of, run
from tests.serving.served import CONTEXT, END, MODEL, TOKENIZER, alone, chat_tokens, model, text_of
from tests.threads import one_thread  # noqa: F401


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
