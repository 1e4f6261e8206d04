"""Cited answers: which passage an answer comes from.

A small decoder that was trained to answer does not write citations, so they are found afterwards, in two steps:

1. *By the words.* The answer is a span of a passage; a passage that does not contain it cannot be its source. This
   costs nothing and can be checked by eye.
2. *By the likelihood.* Where several passages contain it, the source is the one whose absence makes the answer least
   likely: the drop of log P(answer) when that passage is left out, which takes one pass a passage (the leave-one-out
   attribution that Cohen-Wang et al. approximate for long contexts in ContextCite, arXiv 2409.00729).

The words come first because a drop is never zero: likelihood alone would cite something for every invention, while an
answer that no passage contains is *uncited*, and that is a warning. The price: a right answer in other words than the
passage's has no citation, and of a reasoning over two passages only the one that holds the answer is cited.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.evaluation.scoring import abstains
from labkit.rag.document import Chunk
from labkit.rag.likelihoods import Reader, answer_log_probabilities
from labkit.rag.spans import Span
from labkit.world.question import normalized


@dataclass(frozen=True)
class Citation:
    """Characters `start:end` of the chunk's document say the answer; `drop` in nats where likelihood had to decide."""

    chunk: Chunk
    start: int
    end: int
    drop: float | None = None


def cite(reader: Reader, question: str, chunks: Sequence[Chunk], answer: str) -> Citation | None:
    """The passage of a prompt's `chunks` that the answer comes from; None if none contains it or it says nothing."""
    if abstains(answer):
        return None
    places = containing(answer, chunks)
    if not places:
        return None
    drops = likelihood_drops(reader, question, chunks, answer, list(places)) if len(places) > 1 else None
    best = max(places, key=lambda n: drops[n]) if drops else next(iter(places))
    chunk, (start, end) = chunks[best], places[best]
    return Citation(chunk, chunk.start + start, chunk.start + end, drops[best] if drops else None)


def containing(answer: str, chunks: Sequence[Chunk]) -> dict[int, Span]:
    """The chunks that say the answer, by their number, and where."""
    return {n: span for n, chunk in enumerate(chunks) if (span := answer_span(answer, chunk.text))}


def answer_span(answer: str, text: str) -> Span | None:
    """Where a text first says the answer in whole words, whatever the case, article and white space; None if nowhere.

    >>> text = "The keeper of the Kolm  light is 31."
    >>> text[slice(*answer_span("Kolm Light.", text))], answer_span("3", text)
    ('Kolm  light', None)
    """
    said = r"\s+".join(re.escape(word) for word in normalized(answer).split())
    found = re.search(rf"(?<!\w){said}(?!\w)", text, re.IGNORECASE) if said else None
    return found.span() if found else None


def likelihood_drops(
    reader: Reader, question: str, chunks: Sequence[Chunk], answer: str, left_out: Sequence[int] | None = None
) -> dict[int, float]:
    """log P(answer | all chunks) minus log P(answer | all but chunk n), in nats, for each n of `left_out` (or all)."""
    numbers = list(range(len(chunks))) if left_out is None else list(left_out)
    sets = [list(chunks), *([c for m, c in enumerate(chunks) if m != n] for n in numbers)]
    whole, *without = answer_log_probabilities(reader, question, sets, answer)
    return {n: whole - rest for n, rest in zip(numbers, without, strict=True)}
