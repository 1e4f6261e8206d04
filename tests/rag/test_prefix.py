import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.evaluation.answering import answers
from labkit.generation.decoding import stream
from labkit.models.cache import KVCache
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.rag.prefix import PrefixCache, answers_in_turn, prefill

CONFIG = DecoderConfig("llama", 16, 16, 24, 2, 2, 1, 8, 1e-6, 64)
PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Decoder(CONFIG).eval().requires_grad_(False)


@settings(deadline=None)
@given(PROMPTS)
def test_whatever_came_before_the_logits_are_those_of_a_fresh_cache(model, prompts):
    prefix, last = PrefixCache(model.new_cache(1)), []
    for prompt in prompts:
        alike = max(n for n in range(len(last) + 1) if last[:n] == prompt[:n])
        assert prefix.keep(prompt) == min(alike, len(prompt) - 1), "its last token is always left to feed"
        whole = model(torch.tensor([prompt]))[0, -1]
        torch.testing.assert_close(prefill(model, prefix, prompt), whole, atol=1e-5, rtol=1e-4)
        assert prefix.cache.lengths == [len(prompt)]
        last = prompt


def test_only_what_differs_is_read(model):
    prefix = PrefixCache(model.new_cache(1))
    head = [3, 1, 4, 1, 5, 9, 2, 6]
    assert [prefix.keep([*head, 5, 3])] == [0]
    prefill(model, prefix, [*head, 5, 3])
    assert prefix.keep([*head, 8, 9]) == 8
    prefill(model, prefix, [*head, 8, 9])
    assert prefix.keep([7, *head]) == 0


def test_decoding_goes_on_behind_it_and_leaves_it_usable(model):
    prefix = PrefixCache(model.new_cache(1))
    for prompt in ([1, 2, 3, 4], [1, 2, 3, 5, 6], [1, 2, 3, 5, 6]):
        held = prefix.keep(prompt)
        steps = list(stream(model, [prompt], 6, stop=lambda _: False, cache=prefix.cache))
        fresh = list(stream(model, [prompt], 6, stop=lambda _: False))
        assert [s.tokens for s in steps] == [s.tokens for s in fresh]
    assert held == 4


def test_answers_in_turn_are_those_of_a_batch(reader):
    shared = "The mill of Jorvila was built of oak by Hesta Norett."
    messages = [f"{shared}\n\nWho built it?", f"{shared}\n\nWhat is it made of?", shared, "Who?", f"{shared}\n\nWho?"]
    told = [answer.text for answer in answers(reader.model, reader.tokenizer, messages)]
    assert answers_in_turn(reader, messages) == told
    assert answers_in_turn(reader, []) == []
    with pytest.raises(ValueError, match="more than the context"):
        answers_in_turn(reader, [shared * 100])


def test_what_is_no_prompt_or_no_cache_of_one_row_is_refused(model):
    with pytest.raises(ValueError, match="empty"):
        PrefixCache(model.new_cache(1)).keep([])
    with pytest.raises(ValueError, match="one row"):
        PrefixCache(KVCache(CONFIG, 2, 8))
