import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.measures import hit_at_k, ndcg_at_k, recall_at_k, reciprocal_rank


def test_ndcg_worked_by_hand():
    # gains 3 2 3 0 1 2 in the order found: the example of the standard textbook article, linear gains
    gains = {"a": 3, "b": 2, "c": 3, "d": 0, "e": 1, "f": 2}
    found = 3 + 2 / math.log2(3) + 3 / 2 + 0 + 1 / math.log2(6) + 2 / math.log2(7)
    best = 3 + 3 / math.log2(3) + 2 / 2 + 2 / math.log2(5) + 1 / math.log2(6)
    assert ndcg_at_k("abcdef", gains, 6) == pytest.approx(found / best)
    assert round(found, 3) == 6.861
    assert round(found / best, 3) == 0.961


@settings(deadline=None)
@given(st.permutations(list(range(8))), st.lists(st.integers(0, 3), min_size=8, max_size=8), st.integers(1, 10))
def test_ndcg_is_that_of_scikit_learn(ranking, gains, k):
    metrics = pytest.importorskip("sklearn.metrics")
    if any(gains):
        scores = [[-ranking.index(item) for item in range(8)]]
        theirs = metrics.ndcg_score([gains], scores, k=k)
        assert ndcg_at_k(ranking, dict(enumerate(gains)), k) == pytest.approx(theirs)


@settings(deadline=None)
@given(st.permutations(list(range(8))), st.sets(st.integers(0, 7), min_size=1), st.integers(1, 10))
def test_what_every_measure_promises(ranking, relevant, k):
    places = sorted(ranking.index(item) for item in relevant)
    assert recall_at_k(ranking, relevant, k) == sum(p < k for p in places) / len(relevant)
    assert hit_at_k(ranking, relevant, k) == float(places[0] < k)
    assert reciprocal_rank(ranking, relevant) == 1 / (places[0] + 1)
    assert 0 <= ndcg_at_k(ranking, dict.fromkeys(relevant, 1), k) <= 1
    ideal = sorted(ranking, key=lambda item: item not in relevant)
    assert ndcg_at_k(ideal, dict.fromkeys(relevant, 1), k) == pytest.approx(1)


def test_a_question_with_nothing_to_find_has_no_score():
    for measure in (lambda: recall_at_k("ab", [], 2), lambda: ndcg_at_k("ab", {"a": 0}, 2)):
        with pytest.raises(ValueError, match="relevant"):
            measure()
    assert reciprocal_rank("ab", {"c"}) == 0
