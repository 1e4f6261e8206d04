"""Finding: the score of a document, one ranking out of several, and how much of what was wanted is found."""

from __future__ import annotations

import math

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _score_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one word, once", counts=[1], holding=[1], length=4, mean_length=4.0, documents=3, k1=1.5, b=0.75),
        Case("a word it does not hold", counts=[0], holding=[2], length=6, mean_length=5.0, documents=9, k1=1.2, b=0.5),
        Case("said often", counts=[9], holding=[3], length=9, mean_length=12.0, documents=40, k1=1.5, b=0.75),
        Case("in every document", counts=[2], holding=[8], length=5, mean_length=10.0, documents=8, k1=0.9, b=0.4),
        Case("two words", counts=[2, 1], holding=[5, 1], length=20, mean_length=8.0, documents=12, k1=1.5, b=0.75),
    ]
    return [*fixed, *(_drawn_document(rng) for _ in range(9))]


def _drawn_document(rng: np.random.Generator) -> Case:
    words, documents = int(rng.integers(2, 6)), int(rng.integers(20, 5000))
    return Case(
        counts=[int(rng.integers(0, 7)) for _ in range(words - 1)] + [int(rng.integers(2, 7))],
        holding=[int(rng.integers(1, documents + 1)) for _ in range(words)],
        length=int(rng.integers(5, 400)),
        mean_length=float(np.round(rng.uniform(20, 200), 1)),
        documents=documents,
        k1=float(np.round(rng.uniform(0.5, 2.0), 2)),
        b=float(np.round(rng.uniform(0.55, 0.95), 2)),
    )


def _score(
    counts: list[int], holding: list[int], length: int, mean_length: float, documents: int, k1: float, b: float
) -> float:
    """The logarithm in one fraction, and saturation as the inverse of 1 + norm / count."""
    total = 0.0
    for count, df in zip(counts, holding, strict=True):
        if count:
            damping = k1 * ((1 - b) + b * length / mean_length) / count
            total += math.log((documents + 1) / (df + 0.5)) / (1 + damping)
    return total


def _other_score(idf=None, tf=None, norm=None):
    """The score with one part replaced by what a learner may have in its place."""
    idf = idf or (lambda n, df: math.log(1 + (n - df + 0.5) / (df + 0.5)))
    norm = norm or (lambda length, mean, b: 1 - b + b * length / mean)
    tf = tf or (lambda count, damping, k1: count / (count + damping))

    def score(counts, holding, length, mean_length, documents, k1, b):
        damping = k1 * norm(length, mean_length, b)
        return float(sum(idf(documents, df) * tf(c, damping, k1) for c, df in zip(counts, holding, strict=True)))

    return score


BM25_SCORE = Exercise(
    name="bm25_score",
    title="The score of a document",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=_score_cases,
    judge=oracle_judge(
        _score,
        (
            Misconception(
                _other_score(idf=lambda n, df: 1.0),
                "you left out how rare a word is; `the` then counts as much as a name",
            ),
            Misconception(
                _other_score(idf=lambda n, df: math.log((n - df + 0.5) / (df + 0.5))),
                "you left out the 1 inside the logarithm; a word of more than half of the documents then counts against them",
            ),
            Misconception(
                _other_score(idf=lambda n, df: math.log(n / df)),
                "you took log(documents / holding); that is another variant, here the halves and the 1 belong to it",
            ),
            Misconception(
                _other_score(tf=lambda c, damping, k1: (k1 + 1) * c / (c + damping)),
                "you multiplied by k1 + 1; older variants do, and the order is the same, but here one mention counts below 1",
            ),
            Misconception(
                _other_score(norm=lambda length, mean, b: 1.0),
                "you left out the length; a long document then wins by holding every word once",
            ),
            Misconception(
                _other_score(norm=lambda length, mean, b: b + (1 - b) * length / mean),
                "you swapped b and 1 - b; b is the share of the length",
            ),
            Misconception(
                _other_score(norm=lambda length, mean, b: 1 - b + b * mean / length),
                "the length is upside down; a document longer than the mean must be damped more",
            ),
            Misconception(
                _other_score(tf=lambda c, damping, k1: float(c)),
                "you counted every mention in full; the tenth says less than the first",
            ),
            Misconception(
                _other_score(tf=lambda c, damping, k1: (c > 0) / (1 + damping)),
                "you counted whether a word is there, not how often",
            ),
        ),
    ),
    hints=(
        "For each word of the query two factors: how rare it is, and how much the document is about it. Then the sum.",
        "Rare: ln(1 + (documents - holding + 0.5) / (holding + 0.5)). About: count / (count + k1 * (1 - b + b * length / mean_length)).",
        "norm = k1 * (1 - b + b * length / mean_length); return sum(math.log(1 + (documents - h + 0.5) / (h + 0.5)) * c / (c + norm) for c, h in zip(counts, holding))",
    ),
)


def _ranking_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one ranking", rankings=[["a", "b"]], k=60),
        Case("two that agree on one", rankings=[["a", "b", "c"], ["b", "d"]], k=60),
        Case("nothing in common", rankings=[["a"], ["b"], ["c"]], k=10),
        Case("an empty one", rankings=[["a", "b"], []], k=60),
        Case("k of 1", rankings=[["x", "y", "z"], ["z", "y", "x"]], k=1),
    ]
    return [*fixed, *(_drawn_rankings(rng) for _ in range(8))]


def _drawn_rankings(rng: np.random.Generator) -> Case:
    items = [f"d{n}" for n in range(int(rng.integers(5, 12)))]
    rankings = [
        [str(i) for i in rng.permutation(items)[: int(rng.integers(3, len(items)))]]
        for _ in range(int(rng.integers(2, 5)))
    ]
    return Case(rankings=rankings, k=int(rng.choice([1, 10, 60])))


def _fuse(rankings: list[list[str]], k: int) -> dict[str, float]:
    """Item by item instead of ranking by ranking."""
    items = {item for ranking in rankings for item in ranking}
    return {i: math.fsum(1 / (k + 1 + ranking.index(i)) for ranking in rankings if i in ranking) for i in items}


def _fused_otherwise(share=lambda place, k: 1 / (k + place), join=lambda old, new: old + new, first=0.0):
    def fuse(rankings, k):
        scores: dict[str, float] = {}
        for ranking in rankings:
            for place, item in enumerate(ranking, 1):
                scores[item] = float(join(scores.get(item, first), share(place, k)))
        return scores

    return fuse


def _fused_padded(rankings: list[list[str]], k: int) -> dict[str, float]:
    items = {item for ranking in rankings for item in ranking}
    places = [{i: (r.index(i) if i in r else len(r)) + 1 for i in items} for r in rankings]
    return {i: float(sum(1 / (k + p[i]) for p in places)) for i in items}


RRF = Exercise(
    name="fuse",
    title="One ranking out of several",
    difficulty=2,
    importance=5,
    minutes=7,
    cases=_ranking_cases,
    judge=oracle_judge(
        _fuse,
        (
            Misconception(
                _fused_otherwise(share=lambda place, k: 1 / (k + place - 1)),
                "you counted places from 0; the best has place 1",
            ),
            Misconception(
                _fused_otherwise(share=lambda place, k: 1 / place),
                "you left out k; the first place of one ranking then outweighs second places in all others",
            ),
            Misconception(
                _fused_otherwise(join=max),
                "you kept the best share of each item; being found twice is what counts, so add them",
            ),
            Misconception(
                _fused_otherwise(join=lambda old, new: new),
                "you overwrote the share of an earlier ranking; add to it",
            ),
            Misconception(
                lambda rankings, k: {i: s / len(rankings) for i, s in _fuse(rankings, k).items()},
                "you divided by the number of rankings; the sum is asked for",
            ),
            Misconception(
                lambda rankings, k: {i: s for i, s in _fuse(rankings, k).items() if all(i in r for r in rankings)},
                "you kept what stands in every ranking; what one of them found counts too",
            ),
            Misconception(
                _fused_padded,
                "you gave an item that a ranking does not have the place after its last; it gets nothing from it",
            ),
            Misconception(
                _fused_otherwise(share=lambda place, k: k + place),
                "you added up places; each is worth 1 / (k + place)",
            ),
        ),
    ),
    hints=(
        "Scores of different searches cannot be compared, places can. What is a place worth?",
        "Every ranking gives the item in place p (from 1) the share 1 / (k + p); shares of one item add up.",
        "scores = {}; for ranking in rankings: for place, item in enumerate(ranking, 1): scores[item] = scores.get(item, 0) + 1 / (k + place)",
    ),
)


def _recall_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one of two", ranking=["a", "x", "b"], relevant=["a", "b"], k=2),
        Case("all of them", ranking=["b", "a", "x"], relevant=["a", "b"], k=3),
        Case("none", ranking=["x", "y", "a"], relevant=["a"], k=2),
        Case("shorter than k", ranking=["a", "x"], relevant=["a", "b", "c", "d"], k=10),
        Case("more relevant than k", ranking=["a", "b", "c", "x"], relevant=["a", "b", "c", "d", "e"], k=3),
        Case("just at k", ranking=["x", "y", "a", "b"], relevant=["a", "b"], k=3),
        Case("found nothing", ranking=[], relevant=["a"], k=5),
    ]
    return [*fixed, *(_drawn_ranking(rng) for _ in range(10))]


def _drawn_ranking(rng: np.random.Generator) -> Case:
    items = [f"d{n}" for n in range(30)]
    ranking = [str(i) for i in rng.permutation(items)[: int(rng.integers(12, 25))]]
    relevant = [str(i) for i in rng.permutation(items)[: int(rng.integers(2, 9))]]
    return Case(ranking=ranking, relevant=relevant, k=int(rng.integers(3, 12)))


def _recall(ranking: list[str], relevant: list[str], k: int) -> float:
    places = [ranking.index(item) if item in ranking else k for item in relevant]
    return float(np.mean([place < k for place in places]))


def _hits(ranking: list[str], relevant: list[str], k: int) -> int:
    return len(set(ranking[:k]) & set(relevant))


RECALL = Exercise(
    name="recall_at_k",
    title="How much of it was found?",
    difficulty=1,
    importance=5,
    minutes=4,
    cases=_recall_cases,
    judge=oracle_judge(
        _recall,
        (
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, k) / k,
                "you divided by k; that is precision, recall is a share of the relevant",
            ),
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, k) / max(1, len(ranking[:k])),
                "you divided by how many were returned; recall is a share of the relevant",
            ),
            Misconception(
                lambda ranking, relevant, k: float(_hits(ranking, relevant, k) > 0),
                "you gave 1 for any hit; ask which share of the relevant was found",
            ),
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, len(ranking)) / len(relevant),
                "you looked at the whole ranking; only the first k count",
            ),
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, k) / min(k, len(relevant)),
                "you divided by k where more are relevant; then not all can be found, and recall says so",
            ),
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, k - 1) / len(relevant),
                "you stopped one place too early; place k counts",
            ),
            Misconception(
                lambda ranking, relevant, k: _hits(ranking, relevant, k + 1) / len(relevant),
                "you looked one place too far; place k is the last",
            ),
            Misconception(
                lambda ranking, relevant, k: float(_hits(ranking, relevant, k)),
                "you returned how many were found; the share is asked for",
            ),
        ),
    ),
    hints=(
        "Which items of `relevant` stand among the first k of the ranking?",
        "Divide their number by the number of relevant ones, not by k.",
        "return len(set(ranking[:k]) & set(relevant)) / len(relevant)",
    ),
)
