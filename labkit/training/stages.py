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
    peak: float = 2e-3
    warmup: int = 100
    rows: int = 16
    length: int = 256


_WARM_UP = {"cycles": 1, "copies": 1, "lookups": 2}
_SINGLE = {"reading-0": 1, "reading-1": 2, "reading-2": 3, "lookups": 1}
_SEVERAL = {"reading-2": 1, "reading-3": 2, "reading-4": 3, "reading-5": 3}
_STYLED = {"reading-5": 1, "reading-6": 4, "two-hop": 1}
_EVERYTHING = {
    "reading-6": 4,
    "two-hop": 1,
    "extraction": 2,
    "arithmetic": 2,
    "facts": 6,
    "statements": 2,
    "prose": 2,
    "python": 2,
}

CURRICULUM = (
    Stage("recall", _WARM_UP, steps=6_000, gate="lookups", bar=0.9),
    Stage("one passage", _SINGLE, steps=12_000, gate="reading-2", bar=0.9),
    Stage("three passages", _SEVERAL, steps=12_000, gate="reading-5", bar=0.9, length=512, rows=8),
    Stage("styled passages", _STYLED, steps=6_000, gate="reading-6", bar=0.9, length=1024, rows=8, peak=1e-3),
    Stage("everything", _EVERYTHING, steps=8_000, length=1024, rows=8, peak=1e-3),
)
"""From copying to every task of the course."""
