import math
import random

import numpy as np
import pytest

from labkit.rag.bm25 import BM25, VARIANTS, words

TEXTS = ["red mill", "red red tower", "blue tower of stone"]


def _corpus(documents=60):
    rng = random.Random(1)
    vocabulary = [f"w{n}" for n in range(40)]
    weights = [1 / (n + 1) for n in range(40)]
    return [" ".join(rng.choices(vocabulary, weights, k=rng.randint(1, 30))) for _ in range(documents)]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("k1", "b", "delta"), [(1.5, 0.75, 0.5), (0.9, 0.4, 1.0)])
def test_scores_are_those_of_bm25s(variant, k1, b, delta):
    bm25s = pytest.importorskip("bm25s")
    texts = _corpus()
    theirs = bm25s.BM25(k1=k1, b=b, delta=delta, method=variant)
    theirs.index([words(t) for t in texts], show_progress=False)
    ours = BM25(texts, variant, k1, b, delta)
    for query in ["w0 w3 w39", "w7 w7 w1", "w12", *texts[:10]]:
        np.testing.assert_allclose(ours.scores(query), theirs.get_scores(words(query)), atol=1e-4)


def test_a_score_worked_by_hand():
    # "mill" stands in 1 of 3 documents; "red mill" has 2 words where the mean is 3
    expected = math.log(1 + 2.5 / 1.5) * 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / 3))
    assert BM25(TEXTS).scores("mill")[0] == pytest.approx(expected)
    assert BM25(TEXTS, "atire").scores("mill")[0] == pytest.approx(math.log(3) * 2.5 / (1 + 1.5 * 0.75))


def test_only_documents_with_a_word_of_the_query_are_found_best_first():
    assert [n for n, _ in BM25(TEXTS).top("red", 5)] == [1, 0]
    for variant in VARIANTS:
        assert [n for n, _ in BM25(TEXTS, variant).top("the blue mill", 5)] in ([2, 0], [0, 2])
    assert BM25(TEXTS).top("green", 5) == []
    assert BM25(TEXTS).top("", 5) == []


def test_a_corpus_without_words_finds_nothing_and_no_corpus_is_refused():
    assert BM25(["...", ""]).top("red", 3) == []
    with pytest.raises(ValueError, match="at least one document"):
        BM25([])
    with pytest.raises(ValueError, match="'tfidf'"):
        BM25(TEXTS, "tfidf")
