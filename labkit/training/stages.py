"""A curriculum: stages of growing difficulty, each left when its skill stands and not when its time is up.

Moving on before a skill stands makes the next one harder to learn, so a stage ends when held-out answers are right
often enough. A ceiling on steps keeps a stage that never gets there from running for ever; the curve says which it was.

The first stage alone has no gate. Tried on 1.3 M parameters with 4 rows of 256 tokens: after about 1,300 steps of the
first mixture a question about one sentence was answered right almost never; then 1,900 steps of the second took it to
29 % (one run). Whether the first stage is needed at all has not been tried.
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


_RECALL = {"cycles": 1, "lookups": 1, "reading-0": 2, "reading-1": 2}
_ONE_FACT = {"reading-0": 1, "reading-1": 2, "reading-2": 1}
_ONE_PASSAGE = {"reading-1": 1, "reading-2": 3}
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
    Stage("recall", _RECALL, steps=1_500),
    Stage("one fact", _ONE_FACT, steps=12_000, gate="reading-1"),
    Stage("one passage", _ONE_PASSAGE, steps=12_000, gate="reading-2"),
    Stage("three passages", _SEVERAL, steps=12_000, gate="reading-5", length=512, rows=8),
    Stage("styled passages", _STYLED, steps=6_000, gate="reading-6", length=1024, rows=8, peak=1e-3),
    Stage("everything", _EVERYTHING, steps=8_000, length=1024, rows=8, peak=1e-3),
)
"""From copying to every task of the course."""
