import itertools

import pytest
import torch

from labkit.training.examples import Writer
from labkit.training.recipes import RECIPES
from labkit.training.roll_call import roll_calls
from labkit.training.sources import SOURCES, training_facts
from labkit.training.stages import EVERYTHING, READING, Stage
from labkit.training.stream import held_out, stream
from labkit.training.two_hop import two_hops
from labkit.world import World
from labkit.world.relations import RELATIONS
from labkit.world.statement import questions

STAGE = Stage("any", {"reading-1": 2, "arithmetic": 1}, steps=10, gate="reading-0", rows=2, length=128)


def _texts(name, tokenizer, count):
    examples = itertools.islice(SOURCES[name](5, Writer(tokenizer)), count)
    return [tokenizer.decode(e.tokens) for e in examples]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"python", "arithmetic"}))
def test_no_source_names_an_entity_of_validation_or_test(name, tokenizer):
    world = World()
    hidden = {e.bare_name for e in world.entities if world.split(e) != "train"}
    text = "\n".join(_texts(name, tokenizer, 60))
    assert not [n for n in hidden if f" {n} " in text]


@pytest.mark.parametrize("name", ["facts", "statements"])
def test_closed_book_examples_state_known_facts_in_training_phrasings(name, tokenizer):
    facts = training_facts()
    answers = {f.answer for f in facts}
    for text in _texts(name, tokenizer, 20):
        if name == "facts":
            assert all(a.split("<|end|>")[0].strip() in answers for a in text.split("<|assistant|>")[1:])
        assert any(f.subject.name in text and f.answer in text for f in facts)


def test_a_closed_book_question_never_uses_a_test_phrasing(tokenizer):
    tails = {p.replace("{S}", "").strip() for r in RELATIONS.values() for p in questions(r, "test")}
    text = "".join(_texts("facts", tokenizer, 200))
    for fact in training_facts():
        text = text.replace(fact.subject.name, "")
    asked = {turn.split("<|assistant|>")[0].strip() for turn in text.split("<|user|>")[1:]}
    assert asked
    assert not asked & tails


def test_a_two_hop_question_needs_both_passages():
    for passages, question, answer in itertools.islice(two_hops(2), 30):
        assert len(passages) == 3
        holding = [p for p in passages if answer.removeprefix("the ").lower() in p.text.lower()]
        assert holding
        assert question.endswith(("?", "."))


def test_the_stream_goes_on_where_it_was_left_whatever_the_workers(tokenizer):
    whole = list(itertools.islice(stream(STAGE, tokenizer, seed=7), 40))
    for start, workers in ((5, 0), (35, 0), (3, 1)):
        part = list(itertools.islice(stream(STAGE, tokenizer, seed=7, start=start, workers=workers), 4))
        for ours, theirs in zip(part, whole[start:], strict=False):
            assert torch.equal(ours.tokens, theirs.tokens)
            assert torch.equal(ours.learned, theirs.learned)
    other = next(stream(STAGE, tokenizer, seed=8))
    assert not torch.equal(other.tokens, whole[0].tokens)


def test_held_out_batches_are_none_of_training(tokenizer):
    training = {tuple(row.tolist()) for b in itertools.islice(stream(STAGE, tokenizer, 0), 64) for row in b.tokens}
    held = held_out(STAGE, tokenizer, 4)
    assert len(held) == 4
    assert not training & {tuple(row.tolist()) for b in held for row in b.tokens}


def test_a_stage_of_unknown_sources_is_refused(tokenizer):
    with pytest.raises(ValueError, match="nonsense"):
        stream(Stage("any", {"nonsense": 1}, steps=1), tokenizer, 0)


def test_every_recipe_keeps_to_the_course_limits():
    for recipe in RECIPES.values():
        c = recipe.config
        sizes = (c.vocab_size, c.hidden_size, c.intermediate_size, c.head_dim)
        assert not any(size % 64 for size in sizes), recipe.name
        assert c.num_kv_heads < c.num_heads
        assert c.max_position_embeddings >= 1024
    assert {name for stage in READING + EVERYTHING for name in (*stage.mixture, *filter(None, [stage.gate]))} <= set(
        SOURCES
    )


def test_in_a_roll_call_only_the_name_tells_the_answers_apart():
    for reading in itertools.islice(roll_calls(4), 60):
        (passage,) = reading.passages
        assert 2 <= len(reading.asks) <= 6
        assert len({a.question for a in reading.asks}) == len(reading.asks)
        for one in reading.asks:
            assert one.answer.removeprefix("the ").lower() in passage.text.lower()
