"""From a question to a cited answer, or to none, with what every stage took.

    names -> retrieve (words, more words, vectors) -> fuse, fresher first -> rerank -> prompt -> answer -> cite

Each stage is a function of its own room; this object only passes things on and looks at the clock in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from labkit.evaluation.answering import Answer, answers
from labkit.evaluation.scoring import abstains
from labkit.models.card import held_tensors
from labkit.rag.approximate import COLUMN, index_bytes
from labkit.rag.citing import Citation, cite, containing
from labkit.rag.document import Chunk
from labkit.rag.freshness import HALF_LIFE, fresher
from labkit.rag.likelihoods import Reader
from labkit.rag.names import unseen_names
from labkit.rag.prompt import Prompt, assemble
from labkit.rag.reranking import Scorer, rerank
from labkit.rag.searching import DEPTH, Found, by_more_words, by_vector, by_words, check_query, fused, says
from labkit.rag.stages import CitedAnswer, Stage
from labkit.rag.store import Store

NEW_TOKENS = 24
T = TypeVar("T")


@dataclass(frozen=True)
class Pipeline:
    """What answers, and how.

    Of what is found the newer counts more, by `half_life` in years (None: age does not count; undated chunks are new).
    `shown` chunks at most go into the prompt, as many as fit into `budget` tokens (the reader's context, less room for
    an answer, if that is smaller). With a `scorer` the first `candidates` of the search are reranked, without those
    that would not fit alone. An answer is held back where its probability is below `threshold`, and where the question
    names what no document does (`labkit.rag.names`): whatever the model says then, it has not read it here.
    """

    store: Store
    reader: Reader
    shown: int = 3
    budget: int = 512
    scorer: Scorer | None = None
    candidates: int = 10
    threshold: float = 0.0
    half_life: float | None = HALF_LIFE

    def __call__(self, question: str) -> CitedAnswer:
        """Raises `ValueError` for an empty question, an empty store, or a question longer than the budget."""
        check_query(self.store, question, self.shown)
        run = _Run()
        unseen = self._unseen(run, question)
        chunks = self._retrieve(run, question)
        if self.scorer is not None:
            chunks = self._rerank(run, question, chunks[: self.candidates], self.scorer)
        prompt = self._prompt(run, question, chunks[: self.shown])
        answer = self._answer(run, prompt)
        abstained = bool(unseen) or abstains(answer.text) or answer.probability < self.threshold
        citation = None if abstained else self._cite(run, question, prompt.used, answer)
        stages = tuple(run.stages)
        return CitedAnswer(question, answer.text, answer.probability, abstained, citation, prompt, stages, unseen)

    def _unseen(self, run: _Run, question: str) -> tuple[str, ...]:
        size = index_bytes(self.store.table, "text")
        return run.stage("names", lambda: unseen_names(question, partial(says, self.store)), size)

    def _retrieve(self, run: _Run, question: str) -> list[Chunk]:
        table, embedder = self.store.table, self.store.embedder
        text, vectors = index_bytes(table, "text"), 4 * table.count_rows() * embedder.width
        searched = index_bytes(table, COLUMN) if self.store.effort else vectors
        words = run.stage("words", lambda: by_words(self.store, question, DEPTH), text)
        more = run.stage("more words", lambda: by_more_words(self.store, question, words, DEPTH), text)
        (vector,) = run.stage("encode", lambda: embedder.encode([question]), embedder.nbytes)
        near = run.stage("vectors", lambda: by_vector(self.store, vector, DEPTH), searched)
        return [found.chunk for found in run.stage("fuse", lambda: self._fuse(more, near), 0)]

    def _fuse(self, more: Sequence[Found], near: Sequence[Found]) -> list[Found]:
        both = fused([more, near])
        return both if self.half_life is None else fresher(both, self.half_life)

    def _rerank(self, run: _Run, question: str, chunks: Sequence[Chunk], scorer: Scorer) -> list[Chunk]:
        fitting = [chunk for chunk in chunks if self._tokens(question, [[chunk]]) <= self._budget]
        read = self._tokens(question, [[chunk] for chunk in fitting])
        ranked = run.stage("rerank", lambda: rerank(question, fitting, scorer), self._weights, read)
        return [chunk for chunk, _ in ranked]

    def _prompt(self, run: _Run, question: str, chunks: Sequence[Chunk]) -> Prompt:
        tokens, control, budget = self.reader.tokens, self.reader.control, self._budget
        text = sum(len(chunk.text.encode()) for chunk in chunks)
        return run.stage("prompt", lambda: assemble(question, chunks, budget, tokens, control), text)

    def _answer(self, run: _Run, prompt: Prompt) -> Answer:
        model, tokenizer = self.reader.model, self.reader.tokenizer
        cache = model.config.cache_elements_per_token() * model.dtype.itemsize * (prompt.tokens + NEW_TOKENS)
        size = self._weights + cache
        (found,) = run.stage(
            "answer", lambda: answers(model, tokenizer, [prompt.message], NEW_TOKENS), size, prompt.tokens
        )
        return found

    def _cite(self, run: _Run, question: str, chunks: Sequence[Chunk], answer: Answer) -> Citation | None:
        places = containing(answer.text, chunks)
        sets = [chunks, *([c for m, c in enumerate(chunks) if m != n] for n in places)] if len(places) > 1 else []
        size, read = (self._weights, self._tokens(question, sets)) if sets else (0, 0)
        return run.stage("cite", lambda: cite(self.reader, question, chunks, answer.text), size, read)

    def _tokens(self, question: str, sets: Sequence[Sequence[Chunk]]) -> int:
        """Prompt tokens of a pass over each set of chunks."""
        return sum(self.reader.tokens(self.reader.message(question, chunks)) for chunks in sets)

    @property
    def _budget(self) -> int:
        """Twice the new tokens are kept free: an answer that is read once more may be cut into other tokens."""
        return min(self.budget, self.reader.model.config.max_position_embeddings - 2 * NEW_TOKENS)

    @property
    def _weights(self) -> int:
        return sum(nbytes for _, nbytes, _ in held_tensors(self.reader.model))


@dataclass
class _Run:
    """The stages of one question so far."""

    stages: list[Stage] = field(default_factory=list)

    def stage(self, name: str, work: Callable[[], T], nbytes: int, tokens: int = 0) -> T:
        start = time.perf_counter()
        result = work()
        self.stages.append(Stage(name, time.perf_counter() - start, nbytes, tokens))
        return result
