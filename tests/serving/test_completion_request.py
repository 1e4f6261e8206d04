"""What a request's JSON means, and each way in which it can be wrong."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.generation.sampling import Sampling
from labkit.serving.completion_request import Offer, read_request
from labkit.serving.json_fields import RefusedError
from tests.serving.served import TOKENIZER, chat_tokens

OFFER = Offer("tiny", TOKENIZER, len(TOKENIZER), 100)


def read(chat=False, **fields):
    asked = {"model": "tiny"} | ({} if chat else {"prompt": "one two"}) | fields
    return read_request(json.dumps(asked).encode(), OFFER, chat)


def test_what_is_not_given_is_as_openai_has_it():
    asked = read()
    assert asked.token_ids == TOKENIZER("one two")["input_ids"]
    assert (asked.max_tokens, asked.sampling, asked.seed, asked.stop) == (16, Sampling(), None, ())
    assert {asked.stream, asked.include_usage, asked.ignore_eos} == {False}


def test_every_field():
    asked = read(
        prompt=[5, 6, 7],
        max_tokens=9,
        temperature=0,
        top_p=0.5,
        top_k=3,
        min_p=0.1,
        repetition_penalty=2,
        seed=-3,
        stop="end",
        stream=True,
        stream_options={"include_usage": True, "continuous_usage_stats": True},
        ignore_eos=True,
        user="somebody",
        presence_penalty=0.0,
        logprobs=None,
    )
    assert asked.token_ids == [5, 6, 7]
    assert asked.sampling == Sampling(0, 3, 0.5, 0.1, 2)
    assert (asked.max_tokens, asked.seed, asked.stop) == (9, -3, ("end",))
    assert asked.stream
    assert asked.include_usage
    assert asked.continuous_usage_stats
    assert asked.ignore_eos


def test_a_chat_goes_through_the_template_and_may_fill_the_context():
    parts = [{"type": "text", "text": "How high is "}, {"type": "text", "text": "it?"}]
    for content in ("How high is it?", parts):
        asked = read(chat=True, messages=[{"role": "user", "content": content}])
        assert asked.token_ids == chat_tokens("How high is it?")
        assert asked.max_tokens == 100 - len(asked.token_ids)
    assert read(chat=True, messages=[{"role": "user", "content": "x"}], max_completion_tokens=5).max_tokens == 5


def test_a_default_shrinks_to_the_room_there_is_and_a_wish_does_not():
    assert read(prompt=[5] * 95).max_tokens == 5
    assert read(prompt=[5] * 99, max_tokens=1).max_tokens == 1
    for fields in ({"prompt": [5] * 100}, {"prompt": [5] * 95, "max_tokens": 6}):
        with pytest.raises(RefusedError, match="The context has 100 tokens") as refused:
            read(**fields)
        assert (refused.value.status, refused.value.code) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"prompt": None}, "at least one token", "prompt"),
        ({"prompt": ""}, "at least one token", "prompt"),
        ({"prompt": []}, "at least one token", "prompt"),
        ({"prompt": 7}, "must be a text or a list, not a whole number", "prompt"),
        ({"prompt": ["one", "two"]}, "send each prompt by itself", "prompt"),
        ({"prompt": [1, True]}, "one list of token numbers", "prompt"),
        ({"prompt": [1, 99999]}, "Token 99999 is not in the vocabulary", "prompt"),
        ({"prompt": [-1]}, "Token -1", "prompt"),
        ({"max_tokens": 0}, "at least 1; got 0", "max_tokens"),
        ({"max_tokens": 2.5}, "a whole number, not a number", "max_tokens"),
        ({"max_tokens": True}, "not true or false", "max_tokens"),
        ({"temperature": -1}, "temperature is 0 or more", "temperature"),
        ({"temperature": "hot"}, "a number, not a text", "temperature"),
        ({"top_p": 0}, "top_p lies above 0", "top_p"),
        ({"top_k": -2}, "top_k is at least 1", "top_k"),
        ({"seed": 2**64}, "64 bits", "seed"),
        ({"stop": ["x", ""]}, "none of them empty", "stop"),
        ({"stop": ["x"] * 17}, "at most 16", "stop"),
        ({"stop": [1]}, "list of at most", "stop"),
        ({"stream": "yes"}, "true or false, not a text", "stream"),
        ({"stream_options": []}, "an object, not a list", "stream_options"),
        ({"n": 2}, "n is not served", "n"),
        ({"logprobs": 5}, "logprobs is not served", "logprobs"),
        ({"model": 3}, "a text, not a whole number", "model"),
        ({"model": None}, "offers 'tiny'", "model"),
    ],
)
def test_what_is_wrong_is_told(fields, message, param):
    with pytest.raises(RefusedError, match=message) as refused:
        read(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)


NO_MESSAGES = [None, 3, [], "text", {"role": "user"}, {"content": "x"}, {"role": 1, "content": ""}]


@pytest.mark.parametrize("content", NO_MESSAGES)
def test_messages_that_are_none(content):
    with pytest.raises(RefusedError) as refused:
        read(chat=True, messages=content if content is None or content == [] else [content])
    assert refused.value.status == 400


def test_another_model_is_not_found():
    with pytest.raises(RefusedError, match="does not exist; this server offers 'tiny'") as refused:
        read(model="gpt")
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = [
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
]
OTHERS = ["prompt", "messages", "stop", "stream", "stream_options", "n", "tools", "response_format", "model"]
names = st.sampled_from(NUMBERS + OTHERS)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fields=st.dictionaries(names, json_values, max_size=6), chat=st.booleans())
def test_any_json_is_served_or_refused(fields, chat):
    with suppress(RefusedError):
        asked = read(chat=chat, **fields)
        assert len(asked.token_ids) + asked.max_tokens <= 100


@given(body=st.binary(max_size=20) | st.just(b"[" * 100_000) | st.just(b"[1]"))
def test_any_bytes_are_refused(body):
    with pytest.raises(RefusedError, match="JSON"):
        read_request(body, OFFER, False)
