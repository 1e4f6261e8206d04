import pytest
import torch
from transformers import AutoTokenizer

from labkit.data import shipped
from labkit.evaluation.acceptance import acceptance, course_prompts
from labkit.training.optimiser import initial
from labkit.training.recipes import qwen3
from labkit.world import World


@pytest.fixture(scope="module")
def two():
    small, other = (initial(qwen3(hidden=64, layers=1, heads=1, kv_heads=1), seed).eval() for seed in (0, 1))
    return small, other


def _greedy(model, tokens, count):
    with torch.no_grad():
        for _ in range(count):
            tokens = [*tokens, int(model(torch.tensor([tokens]))[0, -1].argmax())]
    return tokens


def test_a_model_accepts_all_of_its_own_guesses(two):
    found = acceptance(two[0], two[0], {"any": [[5, 6, 7], [8, 9]]}, ("a", "a"))
    assert found.of_looked_at().value == found.of_drafted("any").value == 1.0
    assert "100.0%" in str(found)


def test_what_is_accepted_is_where_the_two_agree(two):
    small, target = two
    prompt = [11, 12, 13, 14]
    run = acceptance(small, target, {"any": [prompt]}, ("a", "b")).kinds["any"][0]
    text, accepted, refused = _greedy(target, prompt, len(run.tokens[0])), 0, 0
    assert tuple(text[len(prompt) :]) == run.tokens[0]
    place = len(prompt) + 1
    while place < len(text):
        for _ in range(4):
            if place >= len(text) - 1:
                break
            if _greedy(small, text[:place], 1)[-1] != text[place]:
                refused += 1
                break
            accepted, place = accepted + 1, place + 1
        place += 1
    assert (run.accepted, run.refused) == (accepted, refused)


def test_no_prompts_is_said_so(two):
    with pytest.raises(ValueError, match="no prompts"):
        acceptance(*two, {"any": []}, ("a", "b"))


@pytest.mark.slow
def test_the_prompts_of_the_course_hold_every_kind_of_text():
    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    prompts = course_prompts(tokenizer, World(), 30)  # some of the first thirty modules are empty
    assert {"closed book, one-hop", "document to JSON", "prose", "Python"} <= set(prompts)
    assert all(len(several) == 30 for several in prompts.values())
    assert all(len(tokens) == 32 for tokens in prompts["prose"] + prompts["Python"])
