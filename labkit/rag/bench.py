"""The timed proofs of this room: index build and recall against latency, hybrid search, every stage of an answer, and
what a prefix cache gives back.

They run under `make bench`, on a quiet machine; no test depends on what they say.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labkit.evaluation.answering import prompt_tokens
from labkit.evaluation.intervals import share
from labkit.evaluation.scoring import exact_match
from labkit.measure.machines import machine
from labkit.measure.progress import progress
from labkit.measure.promise import promised
from labkit.rag.answer_trial import AnswerTrial, answer_trial
from labkit.rag.bars import answer_bars, retrieval_bars
from labkit.rag.chunking import structure_chunks
from labkit.rag.course import CourseClaims, course_documents
from labkit.rag.embedder import load_embedder
from labkit.rag.index_trial import EFFORTS, IN_MEMORY, Efforts, IndexTrial, index_trial
from labkit.rag.likelihoods import Reader
from labkit.rag.pipeline import Pipeline
from labkit.rag.prefix_trial import prefix_trial
from labkit.rag.reader import load_reader
from labkit.rag.reranking import answerability, question_likelihood
from labkit.rag.store import Store, ingest, open_store
from labkit.rag.trial import retrieval_trial
from labkit.world import World
from labkit.world.question import Question

SIZES: tuple[tuple[int, int, Efforts, Efforts], ...] = (
    (10_000, 384, EFFORTS, IN_MEMORY),
    (100_000, 384, EFFORTS, IN_MEMORY),
    (1_000_000, 128, {"ivf": (1, 4, 16, 64)}, {"ivf": (1, 4, 16, 64)}),
)
"""Vectors, their width, what is built over them in the store, and by faiss in memory."""
AT, LEAST_SPEED = {"vectors": 100_000, "recall@10": 0.95}, 5.0
QUESTIONS, SHARING, PROMISES = 100, 8, 500
"""Questions asked, how many of them stand under the same passages for the prefix cache, and those of the promises."""
SHOWN = (1, 2, 3, 5)
"""Passages at most, for what more tokens of prompt buy."""


def bench(out: Path) -> dict[str, Any]:
    """Run the timed proofs; the result is plain data for JSON. What needs a missing decoder is *blocked*."""
    found: dict[str, Any] = {"machine": machine().processor, "torch": torch.__version__, "lancedb": version("lancedb")}
    found["index"] = [_index(out, *size) for size in SIZES]
    found["bar"] = [_bar(row) for row in found["index"] if row["vectors"] == AT["vectors"]]
    world, embedder = World(), load_embedder()
    found["hybrid"] = retrieval_trial(embedder, world, count=5 * QUESTIONS).table().to_dicts()
    found["hybrid promises"] = retrieval_bars(embedder, world).table().to_dicts()
    with tempfile.TemporaryDirectory(dir=out) as folder:
        store, found["ingest"] = _ingest(Path(folder), world)
        try:
            reader, found["reader"] = load_reader(dtype="float32", device="cpu")
        except ValueError as error:
            blocked = {"blocked": str(error)}
            return found | dict.fromkeys(("promises", "passages", "answers", "prefix cache"), blocked)
        found["promises"] = answer_bars(Pipeline(store, reader), world, PROMISES)[0].table().to_dicts()
        found["passages"] = _passages(store, world, reader)
        found["answers"] = _answers(store, world, reader)
        found["prefix cache"] = _prefix(store, world, reader)
    return found


def _index(out: Path, count: int, width: int, efforts: Efforts, in_memory: Efforts) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=out) as folder:
        trial = index_trial(Path(folder), count, width, efforts, in_memory=in_memory)
    row = {
        "vectors": count,
        "width": width,
        "bytes of vectors": trial.vector_bytes,
        "exact ms": 1e3 * trial.exact_seconds,
        "exact in memory ms": 1e3 * trial.memory_seconds,
    }
    row["built"] = [dataclasses.asdict(built) for built in trial.built]
    row["trades"] = [dataclasses.asdict(trade) for trade in trial.trades]
    row["faiss"] = [dataclasses.asdict(trade) for trade in trial.in_memory]
    row["fastest at the bar's recall"] = _fastest(trial)
    return row


def _fastest(trial: IndexTrial) -> dict[str, Any] | None:
    best = trial.best(AT["recall@10"])
    return dataclasses.asdict(best) if best else None


def _bar(row: dict[str, Any]) -> dict[str, Any]:
    best = row["fastest at the bar's recall"]
    reached = best["low"] if best else 0.0
    return promised("speed against comparing all, lower end of the interval", reached, LEAST_SPEED, **AT)


def _ingest(folder: Path, world: World) -> tuple[Store, dict[str, Any]]:
    """The corpus after the cutoff, and how long it took; then a second time, when nothing has changed."""
    store, documents, seconds = open_store(folder, load_embedder()), course_documents(world, "after"), []
    for _ in range(2):
        start = time.perf_counter()
        ingest(store, documents, chunker=structure_chunks)
        seconds.append(time.perf_counter() - start)
    told = {
        "documents": len(documents),
        "chunks": store.table.count_rows(),
        "bytes": store.table.stats()["total_bytes"],
    }
    return store, {**told, "seconds": seconds[0], "seconds when nothing changed": seconds[1]}


def _questions(world: World, count: int) -> list[Question]:
    changed = world.questions("changed", "test", "after", "open", mention="name")
    return random.Random("labkit.rag.bench").sample(list(changed), count)


def _answers(store: Store, world: World, reader: Reader) -> list[dict[str, Any]]:
    """Post-cutoff questions with and without reranking: what is right, and the median time of each stage."""
    claims, questions = CourseClaims(world, "after"), _questions(world, QUESTIONS)
    scorers = {"none": None, "answerability": answerability(reader), "question likelihood": question_likelihood(reader)}
    rows = []
    for reranking, scorer in progress(scorers.items(), "Answers"):
        trial = answer_trial(Pipeline(store, reader, scorer=scorer), reader, questions, claims)
        rows.append({"reranking": reranking, "measures": trial.table().to_dicts(), "stages": _stages(trial)})
    return rows


def _passages(store: Store, world: World, reader: Reader) -> list[dict[str, Any]]:
    """Tokens of the prompt against right answers, by the number of passages shown."""
    rows = []
    for shown in SHOWN:
        pipeline = Pipeline(store, reader, shown=shown, budget=reader.model.config.max_position_embeddings)
        given = [(q, pipeline(q.text)) for q in progress(_questions(world, QUESTIONS), f"{shown} passages")]
        right = share(sum(exact_match(a.text, q.accepted) for q, a in given), len(given))
        tokens = float(np.mean([answer.prompt.tokens for _, answer in given]))
        rows.append({"passages": shown, "prompt tokens": tokens, "right": dataclasses.asdict(right)})
    return rows


def _stages(trial: AnswerTrial) -> list[dict[str, Any]]:
    """Medians over the questions; not every answer is cited."""
    names = list(dict.fromkeys(stage.name for asked in trial.asked for stage in asked.open.stages))
    found = {name: [s for asked in trial.asked for s in asked.open.stages if s.name == name] for name in names}
    return [
        {
            "stage": name,
            "ms": 1e3 * float(np.median([s.seconds for s in stages])),
            "bytes": float(np.median([s.nbytes for s in stages])),
            "prompt tokens": float(np.median([s.tokens for s in stages])),
        }
        for name, stages in found.items()
    ]


def _prefix(store: Store, world: World, reader: Reader) -> list[dict[str, Any]]:
    """Several questions under the passages of the first, and each under its own."""
    questions, ask = [q.text for q in _questions(world, SHARING)], Pipeline(store, reader)
    shared = ask(questions[0]).prompt.used
    messages = {
        "the same passages": [reader.message(question, shared) for question in questions],
        "passages of their own": [ask(question).prompt.message for question in questions],
    }
    rows = []
    for label, told in messages.items():
        trial = prefix_trial(reader.model, [prompt_tokens(reader.tokenizer, message) for message in told])
        speed = {"speed": trial.speed.ratio, "interval": [trial.speed.low, trial.speed.high]}
        rows.append({"prompts under": label, "tokens": trial.tokens, "read": trial.read, **speed})
    return rows
