"""Each specialist is as good as it can be at its own task, and silent about the others'."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.evaluation import prompts
from labkit.evaluation.rewording import sentences_to_json
from labkit.evaluation.scoring import exact_match, json_right
from labkit.evaluation.specialists import calculator, fact_table, letter_grammar
from labkit.evaluation.specialists.ngram import count
from labkit.world import World, ask, extractions, problems, questions


@pytest.fixture(scope="module")
def known():
    world = World()
    return [f for f in world.facts("before") if world.split(f.subject) == "train"]


def _share_right(table, facts, split):
    outcomes = [
        exact_match(table.answer(ask(fact, phrasing, split)) or "", [fact.answer])
        for fact in facts[::11]
        for phrasing in range(len(questions(fact.definition, split)))
    ]
    return sum(outcomes) / len(outcomes)


def test_the_table_answers_every_phrasing_its_rules_were_written_for(known):
    assert _share_right(fact_table(known), known, "train") == 1.0


def test_the_table_answers_most_phrasings_it_was_not_written_for(known):
    assert 0.9 < _share_right(fact_table(known), known, "test") < 1.0


def test_the_table_knows_nobody_who_is_not_in_it(known):
    first = known[0].subject
    table = fact_table(f for f in known if f.subject != first)
    assert table.answer(ask(known[0], 0)) is None


def test_the_table_counts_its_entries(known):
    assert fact_table(known).entries == len(known)


def test_the_calculator_solves_every_problem_of_every_split():
    pocket = calculator()
    for split in ("train", "test"):
        for problem in itertools.islice(problems(3, split), 1500):
            assert pocket.answer(problem.text) == problem.answer, problem.text


@pytest.mark.parametrize("text", ["Who is the mayor of Salury?", "What is 3 / 0?", "Convert 3 hours to grams.", ""])
def test_the_calculator_leaves_alone_what_it_cannot_do(text):
    assert calculator().answer(text) is None


def test_the_grammar_reads_every_kind_of_document():
    grammar = letter_grammar()
    for pair in itertools.islice(extractions(5), 300):
        answer = grammar.answer(prompts.extraction(pair.text, pair.schema["properties"]))
        assert answer is not None
        assert json_right(answer, pair.schema, pair.answer), (pair.text, answer)


@pytest.mark.parametrize(("phrasings", "right"), [("train", 40), ("test", 0)])
def test_the_grammar_depends_on_the_words(phrasings, right):
    items = sentences_to_json(World(), 40, phrasings).items
    assert sum(item.right(letter_grammar().answer(item.message) or "") for item in items) == right


def test_reworded_items_have_the_same_answers_in_the_same_order():
    old, new = (sentences_to_json(World(), 20, phrasings).items for phrasings in ("train", "test"))
    assert [item.accepted for item in old] == [item.accepted for item in new]
    assert all(a.message != b.message for a, b in zip(old, new, strict=True))
    assert all(item.right(item.accepted[0]) and set(json.loads(item.accepted[0])) for item in old)


@pytest.mark.parametrize("specialist", [calculator, letter_grammar])
def test_what_is_written_is_all_there_is(specialist):
    assert specialist().knowledge_density == 1.0


def _favourite(sequences, context):
    """The same by counting tuples: the favourite after the longest context that was seen."""
    for length in range(len(context), -1, -1):
        tail = tuple(context[len(context) - length :])
        followers = Counter(
            s[i + length] for s in sequences for i in range(len(s) - length) if tuple(s[i : i + length]) == tail
        )
        if followers:
            return min(followers, key=lambda token: (-followers[token], token))
    raise AssertionError


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), min_size=1, max_size=5),
    st.lists(st.integers(0, 7), max_size=6),
)
def test_packed_counts_agree_with_counting_tuples(sequences, context):
    assert count(sequences, vocab_size=8, order=3).next_token(context) == _favourite(sequences, context[-3:])


def test_counts_hold_what_they_say():
    counts = count([[1, 2, 3, 1, 2, 3]], vocab_size=8, order=2)
    assert counts.nbytes == sum(a.nbytes for a in (*counts.contexts, *counts.favourites))
    assert [len(c) for c in counts.contexts] == [1, 3, 3]
    assert all((np.diff(c.astype(np.int64)) > 0).all() for c in counts.contexts)


@pytest.mark.parametrize(
    ("sequences", "vocab", "order"), [([], 8, 2), ([[]], 8, 2), ([[1]], 2**17, 1), ([[1]], 4096, 5)]
)
def test_counts_refuse_what_does_not_fit(sequences, vocab, order):
    with pytest.raises(ValueError, match=r"nothing to count|do not fit"):
        count(sequences, vocab, order)
