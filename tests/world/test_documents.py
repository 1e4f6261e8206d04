import collections
import re

import pytest

from labkit.world import CUTOFF, Date
from labkit.world.dates import MONTHS
from labkit.world.values import MATERIALS, PRODUCTS, PROFESSIONS

pytestmark = pytest.mark.parametrize("edition", ["before", "after"])


def test_six_kinds_and_at_least_4000_documents(world, edition):
    kinds = collections.Counter(d.kind for d in world.documents(edition))
    assert set(kinds) == {"registry", "news", "letter", "minutes", "log", "table"}
    assert kinds.total() >= 4000
    assert min(kinds.values()) >= 100
    assert len({d.id for d in world.documents(edition)}) == kinds.total()


def test_spans_point_at_subject_object_and_sentence(world, edition):
    entities = {e.id: e for e in world.entities}
    for document in world.documents(edition):
        for triple in document.triples:
            entity = entities[triple.subject]
            said = document.text[slice(*triple.subject_span)].lower()
            words = {*entity.mentions, *(m.removeprefix("the ") for m in entity.mentions), entity.short}
            pronouns = {"it": {"it", "its"}, "she": {"she", "her"}, "he": {"he", "his"}}[entity.pronoun]
            assert said in {w.lower() for w in words} | pronouns
            assert document.text[slice(*triple.object_span)].lower() == triple.object.lower()
            start, end = triple.sentence_span
            assert "\n" not in document.text[start:end]
            assert start <= min(triple.subject_span[0], triple.object_span[0])
            assert end >= max(triple.subject_span[1], triple.object_span[1])


def test_every_recorded_fact_is_stated_and_nothing_untrue_is(world, edition):
    facts = {f.id: f for f in world.facts("before") + world.facts("after")}
    stated = collections.Counter(t.fact for d in world.documents(edition) for t in d.triples)
    assert all(stated[f.id] for f in world.facts(edition))
    for document in world.documents(edition):
        for triple in document.triples:
            fact = facts[triple.fact]
            assert (fact.subject.id, fact.relation, fact.answer) == triple[1:4]
            assert fact.since is None or fact.since <= Date.from_iso(document.date)


def test_documents_of_the_first_edition_are_older_than_the_cutoff(world, edition):
    old = {d.id: d for d in world.documents("before")}
    for document in world.documents(edition):
        assert (Date.from_iso(document.date) <= CUTOFF) == (old.get(document.id) == document)


def test_later_edition_revises_withdraws_keeps_stale_papers_and_adds(world, edition):
    before = {d.id: d for d in world.documents("before")}
    after = {d.id: d for d in world.documents("after")}
    current = {f.id for f in world.facts("after")}
    stale = [d for d in after.values() if any(t.fact not in current for t in d.triples)]
    assert after.keys() - before.keys()
    assert before.keys() - after.keys()
    assert any(after[i].revision == 2 for i in before.keys() & after.keys())
    assert stale
    assert all(d.kind not in ("registry", "table") for d in stale)


@pytest.mark.slow
def test_no_sentence_skeleton_is_worn_out(world, edition, skeletons):
    names = {m.removeprefix("the ") for e in world.entities for m in (*e.mentions, e.name, e.short)}
    names |= {*MATERIALS, *PRODUCTS, *PROFESSIONS, *MONTHS, *(e.region for e in world.entities)}
    names |= {f"the {n}" for n in names}
    counts = skeletons([d.text for d in world.documents(edition)], names)
    skeleton, count = counts.most_common(1)[0]
    assert count / counts.total() <= 0.005, skeleton
    assert len(counts) > 8000


def test_the_hand_is_clean(world, edition):
    text = "\n".join(d.text for d in world.documents(edition))
    assert not re.search(r"[\[\]{}]|  |\.\.| [.,;]|None| ,", re.sub(r" [;:/,|]+ ", " ", text))
    assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text)
    assert not re.search(r"\b(the|a|an|of|in) \1\b", text, re.IGNORECASE)
    assert text.isascii()


def test_the_clock_of_a_log_does_not_run_back(world, edition):
    for document in world.documents(edition):
        if document.kind == "log":
            times = re.findall(r"^(\d\d:\d\d)", document.text, re.MULTILINE)
            assert times == sorted(times)


def test_a_fact_is_told_by_name_unless_its_subject_is_only_described(world, edition):
    entities, facts = {e.id: e for e in world.entities}, {f.id: f for f in world.facts(edition)}
    told = collections.Counter()
    for document in world.documents(edition):
        for triple in document.triples:
            if triple.fact in facts:
                said, entity = document.text[slice(*triple.subject_span)].lower(), entities[triple.subject]
                how = "described" if said.endswith(entity.description.split(" ", 1)[1].lower()) else "named"
                told[how, document.names(facts[triple.fact])] += 1
                assert entity.bare_name in document.text or not document.names(facts[triple.fact])
    assert not told["described", True]
    assert told["named", True] > 5 * told["named", False]
