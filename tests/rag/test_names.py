"""A name is unseen exactly where brute force over the texts does not find it."""

import re

import pytest

from labkit.rag.bm25 import words
from labkit.rag.course import course_documents
from labkit.rag.document import Document
from labkit.rag.names import capitalised, unseen_names
from labkit.world import World


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Which town is the home of Talenna Loreneth?", ("Talenna", "Loreneth")),
        ("Who keeps Kolm Light, and where is Kolm Light's oil?", ("Kolm", "Light")),
        ("I asked the clerk. Which mill did I mean?", ()),
        ("He wrote: Who owns it?\nWhere is it?", ()),
        ("Stravhuss was founded in which year?", ()),  # its capital says nothing, so the model's own doubt must do
        ("Where is Saint-Omer (in France)?", ("Saint", "Omer", "France")),
        ("Does labkit use LanceDB or FAISS?", ("LanceDB", "FAISS")),
        ("Où est Écully ?", ("Écully",)),
        ("WHO OWNS THE MILL OF JORVILA?", ()),
        ("Who Owns The Mill?", ()),
        ("who owns the mill of jorvila?", ()),
        ("水车在哪里?", ()),
        ("?!", ()),
        ("", ()),
    ],
)
def test_names_are_told_by_capitals_that_mean_something(question, names):
    assert capitalised(question) == names


def test_a_word_is_looked_up_in_lower_case_and_part_by_part():
    asked = []

    def seen(word):
        asked.append(word)
        return word == "hesta"

    assert unseen_names("Who is Hesta Norett, said Hesta?", seen) == ("Norett",)
    assert asked == ["hesta", "norett"]


@pytest.mark.slow
def test_in_the_course_world_only_strangers_are_unseen_and_missed_only_where_their_name_comes_first():
    world = World()
    corpus = {word for document in course_documents(world, "after") for word in words(document.text)}

    def flagged(question):
        return bool(unseen_names(question.text, corpus.__contains__))

    for kind in ("one-hop", "two-hop", "changed"):
        assert not any(flagged(q) for q in world.questions(kind, "test", "after", "open"))
    unanswerable = world.questions("unanswerable", "test", "after", "open", mention="name")
    assert not any(flagged(q) for q in unanswerable if q.reason == "unrecorded")
    strangers = [q for q in unanswerable if q.reason == "stranger"]
    missed = [q for q in strangers if not flagged(q)]
    assert len(missed) < 0.1 * len(strangers)
    assert all(words(q.text)[0] not in corpus for q in missed), "what was missed opens the question"


def test_a_store_knows_the_words_of_its_texts_and_headings_as_they_come_and_go(tmp_path, word_sums):
    pytest.importorskip("lancedb")
    from labkit.rag.searching import says
    from labkit.rag.store import ingest, open_store

    documents = [
        Document("mill", "The mill of Jorvila was built\nby HESTA Norett-Vonli: 31 metres.", "notes/Belarath.md"),
        Document("tower", "Écully's tower, where the oil is.", "0430-05-01"),
    ]
    store = open_store(tmp_path, word_sums())
    ingest(store, documents)
    told = " ".join(document.text for document in documents).lower()
    for word in ("jorvila", "JORVILA", "Hesta", "vonli", "31", "Écully", "Jorvil", "Norettvonli", "tow", "Stravhuss"):
        assert says(store, word) == bool(re.search(rf"(?<!\w){word.lower()}(?!\w)", told)), word
    assert says(store, "Belarath")
    assert not says(store, "O'Brien'; DROP")
    ingest(store, [Document("new", "Stravhuss was founded.")], withdrawn=["mill"])
    assert says(store, "Stravhuss")
    assert not says(store, "Jorvila")
    assert not says(store, "Belarath")
