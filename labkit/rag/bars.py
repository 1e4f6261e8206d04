"""What this room promises, measured with the shipped encoder and decoder: each promise, its number, and if it holds.

    answers      questions about what is true only since the cutoff: right in 85 % with documents, in 10 % without
    abstention   of the answers held back 80 % would have been wrong, and 70 % of those are held back: below a
                 threshold of the model's own probability, or for a name that no document says
    retrieval    both searches fused find more than either alone, paired, question by question
    words        BM25 gives what bm25s gives, to 1e-4

Everything is asked of test shires, which no training saw; the threshold is chosen on validation shires. The promise
about time stands in `labkit.rag.bench`, where time is measured. `python -m labkit.rag.bars` prints all of these.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit.evaluation.intervals import Estimate
from labkit.measure.report import Report, Table
from labkit.rag.abstention import choose_threshold, judge_threshold
from labkit.rag.answer_trial import AnswerTrial, answer_trial
from labkit.rag.bm25 import BM25, VARIANTS, words
from labkit.rag.chunking import structure_chunks
from labkit.rag.course import CourseClaims, course_documents, post_cutoff, sample
from labkit.rag.embedder import Embedder, load_embedder
from labkit.rag.pipeline import Pipeline
from labkit.rag.reader import load_reader
from labkit.rag.store import ingest, open_store
from labkit.rag.trial import KINDS, RETRIEVERS, retrieval_trial
from labkit.world import World
from labkit.world.question import Question
from labkit.world.relation import Split

WITH_DOCUMENTS, WITHOUT, PRECISION, RECALL, AGREEMENT = 0.85, 0.10, 0.80, 0.70, 1e-4
QUESTIONS = 500
"""Questions of each kind, or all there are."""


@dataclass(frozen=True)
class Bar:
    """One promise: `wanted` in words, what was `measured`, and whether it `holds`."""

    promise: str
    wanted: str
    measured: Estimate
    holds: bool


@dataclass(frozen=True)
class Bars(Report):
    bars: tuple[Bar, ...]

    @property
    def hold(self) -> bool:
        return all(bar.holds for bar in self.bars)

    def table(self) -> Table:
        rows = [[b.promise, b.wanted, str(b.measured), b.measured.count, "yes" if b.holds else "NO"] for b in self.bars]
        return Table("What retrieval promises", ["promise", "wanted", "measured (95 %)", "questions", "holds"], rows)


def all_bars(count: int = QUESTIONS) -> Bars:
    """Every promise, with the shipped encoder and decoder; takes minutes and needs LanceDB and bm25s."""
    world, embedder = World(), load_embedder()
    reader, _ = load_reader(dtype="float32", device="cpu")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = open_store(Path(folder), embedder)
        ingest(store, course_documents(world, "after"), chunker=structure_chunks)
        answered, _ = answer_bars(Pipeline(store, reader), world, count)
    texts = [document.text for document in world.documents("before")]
    asked = [question.text for question in sample(world.questions("one-hop"), count)]
    return Bars((*answered.bars, *retrieval_bars(embedder, world, count).bars, *word_bars(texts, asked).bars))


def answer_bars(pipeline: Pipeline, world: World, count: int = QUESTIONS) -> tuple[Bars, AnswerTrial]:
    """Answers and abstention by a pipeline over a store of the corpus after the cutoff, and the trial of the test."""
    claims = CourseClaims(world, "after")
    judged = answer_trial(pipeline, pipeline.reader, _asked(world, "test", count), claims)
    chosen = choose_threshold(
        answer_trial(pipeline, pipeline.reader, _asked(world, "validation", count), claims).curve(), PRECISION
    )
    sure, wrong = [a.confidence for a in judged.asked], [a.should_abstain for a in judged.asked]
    silent = judge_threshold(sure, wrong, chosen.threshold)
    right = {book: judged.attempts(book).estimate("correct") for book in ("open", "closed")}
    below = f"below {chosen.threshold:.2f}"
    bars = (
        _at_least("right with documents", right["open"], WITH_DOCUMENTS),
        Bar("right without", f"at most {WITHOUT:.0%}", right["closed"], right["closed"].value <= WITHOUT),
        _at_least(f"abstention {below}, precision", silent.precision, PRECISION),
        _at_least(f"abstention {below}, recall", silent.recall, RECALL),
    )
    return Bars(bars), judged


def retrieval_bars(embedder: Embedder, world: World, count: int = QUESTIONS) -> Bars:
    """What fusion adds to the recall@10 of each of its parts, paired, with an interval that leaves out 0."""
    trial = retrieval_trial(embedder, world, count=count)
    gains = {(kind, part): trial.gain(kind, over=part) for kind in KINDS for part in RETRIEVERS[:-1]}
    return Bars(
        tuple(
            Bar(f"recall@10 of {kind}, fused minus {part}", "above 0", gain, gain.low > 0)
            for (kind, part), gain in gains.items()
        )
    )


def word_bars(texts: Sequence[str], queries: Sequence[str]) -> Bars:
    """The largest difference between our scores and those of bm25s, which has to be installed, for each variant."""
    return Bars(tuple(_word_bar(variant, texts, queries) for variant in VARIANTS))


def _word_bar(variant: str, texts: Sequence[str], queries: Sequence[str]) -> Bar:
    import bm25s

    ours, theirs = BM25(texts, variant), bm25s.BM25(k1=1.5, b=0.75, delta=0.5, method=variant)
    theirs.index([words(text) for text in texts], show_progress=False)
    apart = max(float(np.abs(ours.scores(q) - theirs.get_scores(words(q))).max()) for q in queries)
    wanted = f"at most {AGREEMENT:g} apart"
    return Bar(f"BM25 {variant}", wanted, Estimate(apart, apart, apart, len(queries)), apart <= AGREEMENT)


def _asked(world: World, split: Split, count: int) -> list[Question]:
    """As many questions without an answer as with one."""
    answerable = post_cutoff(world, split, count)
    silent = world.questions("unanswerable", split, "after", "open", mention="name")
    return [*answerable, *sample(silent, len(answerable))]


def _at_least(promise: str, measured: Estimate, wanted: float) -> Bar:
    return Bar(promise, f"at least {wanted:.0%}", measured, measured.value >= wanted)


if __name__ == "__main__":
    print(all_bars(*map(int, sys.argv[1:2])))
