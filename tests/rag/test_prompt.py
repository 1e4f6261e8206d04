import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.evaluation.prompts import open_book
from labkit.rag.document import Chunk
from labkit.rag.prompt import assemble
from labkit.world import Passage


def _count(text):
    return len(text.split())


def _chunks(sizes):
    return [Chunk(f"d{n}", 0, size, " ".join(["w"] * size), f"day {n}") for n, size in enumerate(sizes)]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 20), max_size=8), budget=st.integers(3, 60))
def test_a_prompt_keeps_to_its_budget_and_leaves_out_only_what_has_no_room(sizes, budget):
    chunks = _chunks(sizes)
    prompt = assemble("what is it", chunks, budget, _count)
    assert prompt.tokens == _count(prompt.message) <= budget
    assert prompt.message == open_book([Passage(c.heading, c.text) for c in prompt.used], "what is it")
    assert sorted((*prompt.used, *prompt.left_out), key=chunks.index) == chunks
    for chunk in prompt.left_out:
        before = [c for c in prompt.used if chunks.index(c) < chunks.index(chunk)]
        assert _count(open_book([Passage(c.heading, c.text) for c in (*before, chunk)], "what is it")) > budget


def test_a_question_that_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="empty"):
        assemble(" ", [], 10, _count)
    with pytest.raises(ValueError, match="budget is 2"):
        assemble("one two three", [], 2, _count)
