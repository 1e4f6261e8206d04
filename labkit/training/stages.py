"""A curriculum: stages of growing difficulty, each left when its skill stands and not when its time is up.

Moving on before a skill stands makes the next one harder to learn, so a stage ends when held-out answers are right
often enough. A ceiling on steps keeps a stage that never gets there from running for ever; the curve says which it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """`mixture` weighs the sources by examples; `gate` is the source whose held-out exact match must reach `bar`.

    Without a gate the stage takes all of its `steps`. The learning rate rises over `warmup` steps to `peak` and falls
    along a cosine to a tenth of it at `steps`. A batch has `rows` rows of `length` tokens. A stage that is `averaged`
    ends with the running mean of its weights.
    """

    name: str
    mixture: Mapping[str, float]
    steps: int
    gate: str | None = None
    bar: float = 0.9
    peak: float = 1e-3
    warmup: int = 100
    rows: int = 16
    length: int = 256
    averaged: bool = False


_SENTENCES = {"reading-0": 1, "reading-1": 1, "reading-2": 2, "reading-3": 1, "roll-call": 4, "facts": 1}
_PASSAGES = {"roll-call": 2, "reading-5": 3, "reading-6": 3, "archive-1": 2, "facts": 8, "statements": 1}
_WHOLE_DOCUMENTS = {
    "reading-6": 1,
    "archive-3": 5,
    "two-hop": 1,
    "extraction": 2,
    "arithmetic": 2,
    "facts": 8,
    "statements": 1,
}
_EVERYTHING = {
    "reading-6": 0.5,
    "roll-call": 0.5,
    "archive-1": 1.5,
    "archive-2": 1.5,
    "archive-3": 5,
    "two-hop": 1,
    "extraction": 4,
    "arithmetic": 3,
    "facts": 3,
    "statements": 0.25,
    "prose": 0.2,
    "python": 0.15,
}
_ONWARD = {
    "reading-6": 0.5,
    "roll-call": 0.5,
    "archive-1": 1,
    "archive-2": 2,
    "archive-3": 7,
    "two-hop": 0.5,
    "extraction": 5,
    "arithmetic": 1.5,
    "facts": 2,
    "statements": 0.2,
    "prose": 0.2,
    "python": 0.15,
}
_CONTESTED = _ONWARD | {"dossier": 7, "archive-3": 4}
_LAST = _ONWARD | {"dossier": 10, "archive-3": 4, "archive-2": 1}
_FOUND = _ONWARD | {"dossier": 6, "finding": 6, "archive-3": 2, "archive-2": 1}
_SETTLED = _ONWARD | {"dossier": 9, "finding": 4, "archive-3": 3, "archive-2": 1}

READING = (
    Stage("sentences", _SENTENCES, steps=8_000, gate="roll-call", bar=0.85, rows=4),
    Stage("passages", _PASSAGES, steps=3_000, gate="reading-6", bar=0.85, rows=4),
    Stage("whole documents", _WHOLE_DOCUMENTS, steps=2_000, gate="archive-3", bar=0.85, length=512, rows=4),
)
"""From one sentence to answers out of three documents, and the facts of the world on the way."""

EVERYTHING = (
    Stage("everything", _EVERYTHING, steps=2_500, gate="archive-3", bar=0.97, peak=5e-4, length=512, rows=4),
    Stage("long rows", _EVERYTHING, steps=150, length=1024, rows=2, peak=2e-4, warmup=10),
)
"""Every task of the course, in documents as they are; the last steps in rows as long as the context."""

ONWARD = (
    Stage("onward", _ONWARD, steps=2_000, gate="archive-3", bar=0.99, peak=5e-4, length=1024, rows=2),
    Stage("contested", _CONTESTED, steps=2_000, gate="dossier", bar=0.99, peak=5e-4, length=1024, rows=2),
    Stage("last reading", _LAST, steps=1_500, gate="dossier", bar=0.99, peak=5e-4, length=1024, rows=2),
    Stage("findings", _FOUND, steps=1_500, gate="finding", bar=0.99, peak=5e-4, length=1024, rows=2),
    Stage("settling", _SETTLED, steps=800, gate="dossier", bar=1.0, peak=4e-4, length=1024, rows=2, averaged=True),
)
"""The same tasks, most of it reading, more and more out of documents that contradict each other: the last stages of
course-dense; the mixture of experts has had the first of them. Batches are small, so the last one ends with the mean
of its weights. The shipped course-dense met passages in the order of their dates from "last reading" on, and in any
order before."""
