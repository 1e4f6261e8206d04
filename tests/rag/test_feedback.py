import math
from collections import Counter

import pytest

from labkit.rag import feedback
from labkit.rag.bm25 import BM25, words
from labkit.rag.document import Document
from labkit.rag.feedback import expanded

CORPUS = [
    "They call Felow Light the lamp on the hill.",
    "The keeper of Felow Light is Hesta.",
    "The keeper of the mill is Norett.",
    "A lamp was bought by the school.",
    "The hill was sold to the town.",
]
QUESTION = "Who is the keeper of the lamp on the hill?"


def test_weights_worked_by_hand(monkeypatch):
    """Two finds, one trusted: "red" stands in both, "mill" in the trusted one only."""
    monkeypatch.setattr(feedback, "TRUSTED", 1)
    weights = expanded("red roof", ["red mill", "red tower"])
    red, mill = (0.5 * math.log(1 + (2 - n + 0.5) / (n + 0.5)) for n in (2, 1))
    share = feedback.SHARE
    assert weights["roof"] == pytest.approx(share / 2)
    assert weights["red"] == pytest.approx(share / 2 + (1 - share) * red / (red + mill))
    assert weights["mill"] == pytest.approx((1 - share) * mill / (red + mill))
    assert sum(weights.values()) == pytest.approx(1)


def test_a_name_that_the_question_does_not_say_is_found_by_asking_twice(monkeypatch):
    monkeypatch.setattr(feedback, "TRUSTED", 1)  # of five documents; the third is about another keeper
    index = BM25(CORPUS)
    first = [n for n, _ in index.top(QUESTION, 5)]
    again = [n for n, _ in index.top(expanded(QUESTION, [CORPUS[n] for n in first]), 5)]
    assert "felow" not in words(QUESTION)
    assert again.index(1) < again.index(2), "the keeper of the light stands above the keeper of the mill"


def test_without_finds_and_without_words_nothing_is_added():
    assert expanded("red red roof", []) == pytest.approx({"red": 2 / 3, "roof": 1 / 3})
    assert expanded("red", ["...", ""]) == {"red": 1.0}
    assert expanded("?", ["red"]) == {}
    assert expanded("", []) == {}


def test_only_so_many_words_join_and_only_of_the_trusted(monkeypatch):
    monkeypatch.setattr(feedback, "TERMS", 2)
    finds = ["a b c d", "e f", "g h", "untrusted"]
    assert len(expanded("x", finds)) == 3
    assert "untrusted" not in expanded("x", finds)


def test_weights_are_what_repetition_is():
    index = BM25(CORPUS, "bm25l")
    assert index.scores("the hill hill") == pytest.approx(index.scores(Counter(words("the hill hill"))))
    assert index.top({"hill": 1.0, "nowhere": 5.0}, 9) == index.top("hill", 9)
    assert index.top({}, 9) == []


def test_a_store_asks_twice_too(tmp_path, word_sums, monkeypatch):
    monkeypatch.setattr(feedback, "TRUSTED", 1)
    pytest.importorskip("lancedb")
    from labkit.rag.searching import search
    from labkit.rag.store import ingest, open_store

    store = open_store(tmp_path, word_sums())
    ingest(store, [Document(f"d{n}", text) for n, text in enumerate(CORPUS)])
    ranked = [found.chunk.document for found in search(store, QUESTION, 5, "more words")]
    assert ranked.index("d1") < ranked.index("d2")
    for query in ("*", "µ", "-red +oak~2", 'text:"hill" AND ('):
        assert isinstance(search(store, query, 3, "more words"), list)
