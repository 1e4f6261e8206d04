import collections
import re

import pytest

from labkit.world import BOOKS, NOT_KNOWN, QUESTION_KINDS, RELATIONS, SPLITS, is_right
from labkit.world.question import Question

CASES = [
    (k, e, b) for k in QUESTION_KINDS for e in ("before", "after") for b in BOOKS if (k, e) != ("changed", "before")
]


@pytest.mark.parametrize(("kind", "edition", "book"), CASES)
def test_at_least_500_test_questions_each_different(world, kind, edition, book):
    questions = world.questions(kind, "test", edition, book)
    assert len(questions) >= 500
    assert len({q.text for q in questions}) == len({q.id for q in questions}) == len(questions)
    assert all(q.text.endswith(("?", ".")) and q.text[0].isupper() and "{" not in q.text for q in questions)
    assert all(is_right(q, q.answer) for q in questions)


@pytest.mark.parametrize(("kind", "edition", "book"), CASES)
def test_evidence_shows_the_object_of_each_needed_fact(world, kind, edition, book):
    documents = {d.id: d for d in world.documents(edition)}
    facts = {f.id: f for f in world.facts(edition)}
    for question in world.questions(kind, "validation", edition, book):
        assert {e.fact for e in question.evidence} == set(question.facts)
        assert bool(question.facts) == (kind != "unanswerable")
        for e in question.evidence:
            assert documents[e.document].text[e.start : e.end].lower() == facts[e.fact].answer.lower()


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_open_book_splits_share_no_entity(world, kind):
    edition = "after"
    facts = {f.id: f for f in world.facts(edition)}
    seen = collections.defaultdict(set)
    for split in SPLITS:
        for question in world.questions(kind, split, edition, "open"):
            seen[split].add(question.subject)
            for fact in map(facts.get, question.facts):
                seen[split] |= {fact.subject.id, getattr(fact.object, "id", fact.subject.id)}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]


def test_phrasings_of_the_splits_are_apart():
    for relation in RELATIONS.values():
        for phrasings in filter(None, (relation.states, relation.asks, relation.lesser, relation.greater)):
            patterns = [phrasings.patterns(split) for split in SPLITS]
            everything = [p for group in patterns for p in group]
            assert len(everything) == len(set(everything)), relation.name
            assert all(patterns)
        assert len(relation.states.patterns("train")) >= 12
        assert len(relation.asks.patterns("train")) >= 8
        assert len(relation.asks.patterns("test")) >= 4


def test_closed_book_asks_the_training_entities_by_name_in_unseen_words(world):
    trained = {q.text for q in world.questions("one-hop", "train", "before", "closed")}
    tested = world.questions("one-hop", "test", "before", "closed")
    names = {e.id: e for e in world.entities}
    assert not trained & {q.text for q in tested}
    assert {world.split(names[q.subject]) for q in tested} == {"train"}
    assert all(names[q.subject].name.lower() in q.text.lower() for q in tested)


def test_two_hops_follow_the_facts(world):
    facts = {f.id: f for f in world.facts("before")}
    for question in world.questions("two-hop", "test", "before"):
        first, second = (facts[f] for f in question.facts)
        assert first.object == second.subject
        assert question.answer == second.answer
        assert not re.search(rf"\b{re.escape(first.answer)}\b", question.text)


def test_comparisons_are_won_by_the_right_side(world):
    facts = {f.id: f for f in world.facts("before")}
    lesser = ("earlier", "first", "older", "lower", "shorter", "smaller")
    for question in world.questions("comparison", "test", "before", "closed"):
        numbers = {facts[f].subject.name: facts[f].number for f in question.facts}
        wanted = min if any(f" {word}" in question.text for word in lesser) else max
        assert question.answer == wanted(numbers, key=numbers.get), question.text


def test_changed_questions_know_the_stale_answer(world):
    before = {(f.subject.id, f.relation): f.answer for f in world.facts("before")}
    after = {(f.subject.id, f.relation): f.answer for f in world.facts("after")}
    for question in world.questions("changed", "test", "after"):
        key = (question.subject, question.relations[0])
        assert (question.stale, question.answer) == (before[key], after[key])
        assert question.stale not in question.accepted


def test_unanswerable_questions_have_no_answer_anywhere(world):
    stated = {(t.subject, t.relation) for d in world.documents("before") for t in d.triples}
    ours = {m.lower() for e in world.entities for m in e.mentions}
    questions = world.questions("unanswerable", "test", "before")
    assert {q.reason for q in questions} == {"unrecorded", "stranger"}
    for question in questions:
        assert question.answer == NOT_KNOWN
        if question.reason == "unrecorded":
            assert (question.subject, question.relations[0]) not in stated
        else:
            assert not any(f" {name}{end}" in question.text.lower() for name in ours for end in "?. ")


def test_unknown_kind_and_impossible_edition_say_so(world):
    with pytest.raises(ValueError, match=r"'three-hop'.*one-hop"):
        world.questions("three-hop")
    with pytest.raises(ValueError, match='"after" only'):
        world.questions("changed", edition="before")


def test_a_question_survives_its_file_form(world):
    question = world.questions("changed", "test", "after")[0]
    assert Question.from_dict(question.to_dict()) == question
