"""A trial of retrievers on the course world: who finds the documents that state what a question needs?

Every question of the test split is about entities that no training saw, against the whole corpus. What is relevant is
exact: the documents that state a needed fact, by whatever words.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.evaluation.intervals import Estimate, difference, ratio_of_sums
from labkit.measure.report import Report, Table
from labkit.rag.bm25 import BM25
from labkit.rag.dense import nearest
from labkit.rag.embedder import Embedder
from labkit.rag.feedback import expanded
from labkit.rag.fusion import reciprocal_rank_fusion
from labkit.rag.measures import hit_at_k, ndcg_at_k, recall_at_k, reciprocal_rank
from labkit.world import Question, World
from labkit.world.question import Edition
from labkit.world.relation import Split

DEPTH = 100
"""Documents of each ranking that are judged and fused."""
KINDS = ("one-hop", "two-hop")
RETRIEVERS = ("BM25", "BM25, more words", "dense", "fused")
MEASURES = ("recall@10", "hit@10", "MRR", "nDCG@10")
Rankings = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Result:
    """One retriever on the questions of one kind: each question's score by measure."""

    kind: str
    retriever: str
    scores: Mapping[str, Sequence[float]]

    def mean(self, measure: str) -> Estimate:
        return ratio_of_sums(self.scores[measure], [1.0] * len(self.scores[measure]))


@dataclass(frozen=True)
class RetrievalTrial(Report):
    """Results of word matching, of the same with more words, of dense retrieval, and of the last two fused."""

    embedder: str
    documents: int
    results: tuple[Result, ...]

    def result(self, kind: str, retriever: str) -> Result:
        """Raises `KeyError` for a kind or retriever that the trial has not."""
        for result in self.results:
            if (result.kind, result.retriever) == (kind, retriever):
                return result
        raise KeyError(f"No result for {kind!r} and {retriever!r}.")

    def gain(self, kind: str, measure: str = "recall@10", over: str = "BM25") -> Estimate:
        """What fusion adds to `over`, question by question, with a paired 95 % interval."""
        return difference(self.result(kind, "fused").scores[measure], self.result(kind, over).scores[measure])

    def table(self) -> Table:
        rows = []
        for r in self.results:
            gain = str(self.gain(r.kind, over=r.retriever)) if r.retriever != "fused" else ""
            means = [f"{r.mean(measure).value:.3f}" for measure in MEASURES]
            rows.append([r.kind, len(r.scores["MRR"]), r.retriever, *means, gain])
        columns = ["questions", "count", "retriever", *MEASURES, "fused minus this, recall@10 (95 %)"]
        note = f"{self.documents:,} documents; the vectors are those of {self.embedder}."
        return Table("Documents that state what a question needs", columns, rows, note)


def retrieval_trial(
    embedder: Embedder,
    world: World | None = None,
    split: Split = "test",
    edition: Edition = "before",
    count: int = 1000,
    kinds: Sequence[str] = KINDS,
) -> RetrievalTrial:
    """At most `count` open-book questions of each kind, drawn by a fixed seed, against all documents of the edition."""
    world = world or World()
    documents = world.documents(edition)
    ids, texts = [d.id for d in documents], [d.text for d in documents]
    words, vectors = BM25(texts), embedder.encode(texts)
    results: list[Result] = []
    for kind in kinds:
        questions = _draw(world.questions(kind, split, edition, "open"), count, kind)
        first = [[n for n, _ in words.top(q.text, DEPTH)] for q in questions]
        weights = [expanded(q.text, [texts[n] for n in row]) for q, row in zip(questions, first, strict=True)]
        by_more_words = [[ids[n] for n, _ in words.top(w, DEPTH)] for w in weights]
        places, _ = nearest(vectors, embedder.encode([q.text for q in questions]), DEPTH)
        by_vectors = [[ids[n] for n in row] for row in places]
        pairs = zip(by_more_words, by_vectors, strict=True)
        fused = [[i for i, _ in reciprocal_rank_fusion(pair)] for pair in pairs]
        by_words = [[ids[n] for n in row] for row in first]
        rankings = dict(zip(RETRIEVERS, (by_words, by_more_words, by_vectors, fused), strict=True))
        results += [Result(kind, name, _scores(questions, ranked)) for name, ranked in rankings.items()]
    return RetrievalTrial(embedder.name, len(documents), tuple(results))


def _draw(questions: Sequence[Question], count: int, kind: str) -> list[Question]:
    rng = random.Random(f"labkit.rag.trial/{kind}")
    return rng.sample(questions, min(count, len(questions)))


def _scores(questions: Sequence[Question], rankings: Rankings) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for question, ranking in zip(questions, rankings, strict=True):
        relevant = {e.document for e in question.evidence}
        scores["recall@10"].append(recall_at_k(ranking, relevant, 10))
        scores["hit@10"].append(hit_at_k(ranking, relevant, 10))
        scores["MRR"].append(reciprocal_rank(ranking, relevant))
        scores["nDCG@10"].append(ndcg_at_k(ranking, dict.fromkeys(relevant, 1.0), 10))
    return scores
