"""What lab 03 calls right is what the retrieval room computes."""

import numpy as np
import pytest

from labkit.course.labs.lab03.abstaining import THRESHOLD
from labkit.course.labs.lab03.answering import CLAIMS
from labkit.course.labs.lab03.comparing import NEAREST
from labkit.course.labs.lab03.retrieving import BM25_SCORE, RECALL, RRF
from labkit.rag.abstention import judge_threshold
from labkit.rag.bm25 import lucene_idf, okapi_tf
from labkit.rag.claims import claim_measures
from labkit.rag.dense import nearest
from labkit.rag.fusion import reciprocal_rank_fusion
from labkit.rag.measures import recall_at_k


def _cases(exercise):
    return [(case, exercise.judge.oracle(**case.arguments)) for case in exercise.cases(np.random.default_rng(5))]


def test_the_score_is_that_of_the_lucene_variant():
    for case, told in _cases(BM25_SCORE):
        counts, length = np.array(case["counts"], dtype=float), case["length"] / case["mean_length"]
        rare = [lucene_idf(df, case["documents"]) for df in case["holding"]]
        assert told == pytest.approx(float(np.dot(rare, okapi_tf(counts, length, case["k1"], case["b"], 0.0))))


def test_the_nearest_are_those_of_dense_retrieval_over_unit_vectors():
    for case, told in _cases(NEAREST):
        units = [v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (case["vectors"], case["query"])]
        assert told == nearest(units[0], units[1][None], case["k"])[0][0].tolist()


def test_rankings_are_fused_by_reciprocal_ranks():
    for case, told in _cases(RRF):
        assert told == pytest.approx(dict(reciprocal_rank_fusion(case["rankings"], case["k"])))


def test_recall_is_that_of_beir():
    for case, told in _cases(RECALL):
        assert told == recall_at_k(case["ranking"], case["relevant"], case["k"])


def test_claims_are_judged_as_by_ragchecker():
    for case, told in _cases(CLAIMS):
        gold, said = ([(c, "is", "so") for c in claims] for claims in (case["gold"], case["said"]))
        measured = claim_measures(gold, said, [[(c, "is", "so") for c in chunk] for chunk in case["shown"]])
        assert told == pytest.approx((measured.precision, measured.faithfulness, measured.hallucination))


def test_no_threshold_that_is_precise_enough_holds_back_more():
    """By the room's own judge: of those that reach the precision the chosen one has the largest recall."""
    for case, told in _cases(THRESHOLD):
        confidence, wrong = case["confidence"], case["wrong"]
        able = [t for t in case["thresholds"] if min(confidence) < t]
        judged = {t: judge_threshold(confidence, wrong, t) for t in able}
        good = {t: j.recall.value for t, j in judged.items() if j.precision.value >= case["precision"]}
        assert told == min((t for t in good if good[t] == max(good.values())), default=None)
