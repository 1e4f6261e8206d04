"""Lab 03's checks are proved before its notebook is there: with the solutions that the notebook will hold."""

from pathlib import Path

import nbformat.v4 as v4
import pytest

from labkit.course.catalogue import LabChecks
from labkit.course.labs.lab03 import contents
from labkit.course.proof import faults

SOLUTIONS = (
    """
import math

def bm25_score(counts, holding, length, mean_length, documents, k1, b):
    norm = k1 * (1 - b + b * length / mean_length)
    pairs = zip(counts, holding)
    return sum(math.log(1 + (documents - h + 0.5) / (h + 0.5)) * c / (c + norm) for c, h in pairs)
""",
    """
def fuse(rankings, k):
    scores = {}
    for ranking in rankings:
        for place, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + place)
    return scores
""",
    """
def recall_at_k(ranking, relevant, k):
    return len(set(ranking[:k]) & set(relevant)) / len(relevant)
""",
    """
def pack(chunk_tokens, question_tokens, budget):
    used, total = [], question_tokens
    for n, tokens in enumerate(chunk_tokens):
        if total + tokens <= budget:
            used.append(n)
            total += tokens
    return used
""",
    """
def judge_claims(gold, said, shown):
    said, gold, told = set(said), set(gold), set().union(*shown)
    return len(said & gold) / len(said), len(said & told) / len(said), len(said - gold - told) / len(said)
""",
    """
def choose_threshold(confidence, wrong, thresholds, precision):
    best, most = None, -1
    for t in thresholds:
        held = [w for c, w in zip(confidence, wrong) if c < t]
        if held and sum(held) / len(held) >= precision and sum(held) > most:
            best, most = t, sum(held)
    return best
""",
)


@pytest.fixture
def notebook():
    cells = ["import labkit as lk\n\nlab = lk.Lab(3)"]
    for solution in SOLUTIONS:
        before, function = solution.strip().rsplit("def ", 1)
        cells.append(f"{before}@lab.check\ndef {function}")
    return v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])


def test_the_checks_of_lab_03_are_proved(notebook, load_module):
    given = load_module(Path(__file__).parent / "answers" / "lab03.py")
    exercises = {e.name: e for e in contents.EXERCISES}
    predictions = {p.name: p for p in contents.PREDICTIONS}
    checks = LabChecks("03", contents.TITLE, exercises, predictions)
    assert faults(checks, notebook, given.ANSWERS, given.MUTANTS) == []


def test_the_exercises_ask_what_the_room_computes(load_module):
    """The right answers agree with `labkit.rag` itself on the cases of the checks."""
    import numpy as np

    from labkit.rag.bm25 import lucene_idf, okapi_tf
    from labkit.rag.claims import claim_measures
    from labkit.rag.fusion import reciprocal_rank_fusion
    from labkit.rag.measures import recall_at_k

    right = load_module(Path(__file__).parent / "answers" / "lab03.py").ANSWERS
    named = {e.name: e.cases(np.random.default_rng(5)) for e in contents.EXERCISES}
    for case in named["bm25_score"]:
        counts, length = np.array(case["counts"], dtype=float), case["length"] / case["mean_length"]
        rare = [lucene_idf(df, case["documents"]) for df in case["holding"]]
        expected = float(np.dot(rare, okapi_tf(counts, length, case["k1"], case["b"], 0.0)))
        assert right["bm25_score"][1](**case.arguments) == pytest.approx(expected)
    for case in named["fuse"]:
        assert right["fuse"][0](**case.arguments) == pytest.approx(
            dict(reciprocal_rank_fusion(case["rankings"], case["k"]))
        )
    for case in named["recall_at_k"]:
        assert right["recall_at_k"][0](**case.arguments) == recall_at_k(case["ranking"], case["relevant"], case["k"])
    for case in named["judge_claims"]:
        gold, said = ([(c, "is", "so") for c in claims] for claims in (case["gold"], case["said"]))
        measured = claim_measures(gold, said, [[(c, "is", "so") for c in chunk] for chunk in case["shown"]])
        expected = measured.precision, measured.faithfulness, measured.hallucination
        assert right["judge_claims"][0](**case.arguments) == pytest.approx(expected)
