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
    along a cosine to a tenth of it at `steps`. A batch has `rows` rows of `length` tokens.
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


_ONE_PASSAGE = {"reading-0": 1, "reading-1": 1, "reading-2": 2, "facts": 1}
_THREE_PASSAGES = {"reading-2": 1, "reading-5": 3, "archive-1": 3, "archive-2": 1, "facts": 8, "statements": 1}
_EVERYTHING = {
    "reading-5": 1,
    "archive-3": 5,
    "two-hop": 2,
    "extraction": 2,
    "arithmetic": 3,
    "facts": 12,
    "statements": 2,
    "prose": 1,
    "python": 0.25,
}

READING = (
    Stage("one passage", _ONE_PASSAGE, steps=3_000, gate="reading-2", bar=0.85, rows=4),
    Stage("three passages", _THREE_PASSAGES, steps=2_500, gate="reading-5", bar=0.85, rows=4),
)
"""From one sentence to answers out of three passages, and the facts of the world on the way."""

EVERYTHING = (Stage("everything", _EVERYTHING, steps=2_600, length=1024, rows=2),)
"""Every task of the course, in documents as they are."""
