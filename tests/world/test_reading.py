import itertools
import re
from itertools import islice

import pytest

from labkit.world import NOT_KNOWN, QUESTION_KINDS, ask, readings, readings_of, state
from labkit.world.archive_reading import archive_readings, dossiers, findings
from labkit.world.reading import CURRICULUM, Level


@pytest.mark.parametrize("level", CURRICULUM)
def test_readings_show_their_answers_and_name_nobody_of_the_world(world, level):
    names = {e.bare_name for e in world.entities}
    for reading in islice(readings(7, level), 60):
        assert len(reading.passages) == level.documents
        for a in reading.asks:
            if a.span:
                assert reading.passages[a.passage].text[slice(*a.span)].lower() == a.answer.lower()
            else:
                assert a.answer == NOT_KNOWN
        words = re.findall(r"\w+", " ".join(p.text for p in reading.passages))
        pairs = {f"{a} {b}" for a, b in itertools.pairwise(words)}
        assert not names & (pairs | set(words))


def test_unanswerable_share_is_the_one_asked_for():
    asks = [a for r in islice(readings(1, Level(facts=3, asks=3, unanswerable=0.3)), 500) for a in r.asks]
    share = sum(a.span is None for a in asks) / len(asks)
    assert 0.2 < share < 0.35  # three facts of an entity that has only three leave nothing unanswerable


def test_stale_passages_are_older_than_the_one_with_the_answer():

    level = Level(facts=3, documents=2, stale=1.0)
    stale = 0
    for reading in islice(readings(2, level), 200):
        a = reading.asks[0]
        gold, other = reading.passages[a.passage], reading.passages[1 - a.passage]
        if other.date < "0431":
            stale += 1
            assert gold.date >= "0431"
    assert stale > 50


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_at_least_500_test_readings_of_the_corpus(world, kind):
    known = list(readings_of(world, kind))
    assert len(known) >= 500
    for reading in known:
        (a,) = reading.asks
        assert len(reading.passages) == 3
        if a.span:
            assert reading.passages[a.passage].text[slice(*a.span)].lower() == a.answer.lower()
    answered = [a.span is not None for r in known for a in r.asks]
    assert all(answered) if kind in ("one-hop", "two-hop", "changed") else not any(answered)


def test_streams_of_one_seed_agree():
    assert list(islice(readings(3, CURRICULUM[-1]), 20)) == list(islice(readings(3, CURRICULUM[-1]), 20))


def test_one_fact_is_said_and_asked_in_many_ways(world):
    fact = world.facts()[0]
    train = {state(fact, i) for i in range(100)}
    test = {state(fact, i, "test") for i in range(100)}
    assert len(train) >= 12
    assert not train & test
    assert all(fact.answer in s and fact.subject.name in s and s.endswith(".") for s in train | test)
    assert not {ask(fact, i) for i in range(100)} & {ask(fact, i, "test") for i in range(100)}


def test_no_reading_asks_the_same_twice():
    for reading in islice(readings(4, Level(facts=3, asks=3, unanswerable=0.5)), 300):
        assert len({a.question for a in reading.asks}) == len(reading.asks)


def test_archive_readings_ask_what_holds_today_and_stands_where_they_say(world):
    names = {e.bare_name for e in world.entities}
    known = list(itertools.islice(archive_readings(3), 300))
    asks = [(r, a) for r in known for a in r.asks]
    for reading, a in asks:
        if a.span:
            assert reading.passages[a.passage].text[slice(*a.span)].lower() == a.answer.lower()
        else:
            assert a.answer == NOT_KNOWN
    assert 0.2 < sum(a.span is None for _, a in asks) / len(asks) < 0.3
    text = " ".join(p.text for r in known for p in r.passages)
    assert not [n for n in names if f" {n} " in text]
    assert len({p.text.split()[0] for r in known for p in r.passages}) > 20  # every kind of document opens otherwise


def test_a_dossier_asks_about_one_subject_and_the_newest_value_is_right():
    contradicted = 0
    for reading in itertools.islice(dossiers(5), 200):
        assert 1 <= len({a.question for a in reading.asks}) == len(reading.asks) <= 4
        for a in reading.asks:
            if a.span:
                told = reading.passages[a.passage]
                assert told.text[slice(*a.span)].lower() == a.answer.lower()
                contradicted += any(p.date < told.date for p in reading.passages) and told.date > "0431"
    assert contradicted > 60


def test_findings_tell_of_neighbours_and_ask_for_strangers():
    strangers = alike = 0
    known = list(itertools.islice(findings(5), 200))
    for reading in known:
        assert 1 <= len(reading.passages) <= 4
        text = " ".join(p.text for p in reading.passages)
        for a in reading.asks:
            if a.span:
                told = reading.passages[a.passage].text
                assert told[slice(*a.span)].lower() == a.answer.lower()
                alike += sum(a.answer in p.text for p in reading.passages) == 1
            else:
                assert a.answer == NOT_KNOWN
                names = re.findall(r"(?<!^)(?<![.?] )[A-Z]\w+", a.question)
                strangers += bool(names) and not any(name in text for name in names)
    assert strangers > 20
    assert alike > 100
