"""Of two passages that fit equally well the newer one: a prior that halves with age.

A corpus that grows holds what was true beside what is true, in nearly the same words, and no likeness to a question
tells them apart. Li and Croft, "Time-Based Language Models" (CIKM 2003), multiply the score of a document by an
exponential prior over its age. The price: of facts that never change the oldest paper is as good as any.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date

from labkit.rag.searching import Found

HALF_LIFE = 4.0
"""Years after which a passage counts half; chosen on questions of the validation shires."""
YEAR = 365.25


def fresher(found: Sequence[Found], half_life: float = HALF_LIFE) -> list[Found]:
    """The finds with their scores halved once for every `half_life` years before the newest of them, best first.

    The date of a chunk is its heading, where that is an ISO date; one without counts as new. Raises `ValueError` for a
    half-life that is not above 0.
    """
    if not half_life > 0:
        raise ValueError(f"A half-life is a number of years above 0; got {half_life}.")
    dates = [written(f.chunk.heading) for f in found]
    newest = max((d for d in dates if d is not None), default=None)
    aged = [
        f if d is None else dataclasses.replace(f, score=f.score * 0.5 ** ((newest - d).days / YEAR / half_life))
        for f, d in zip(found, dates, strict=True)
    ]
    return sorted(aged, key=lambda f: -f.score)


def written(heading: str) -> date | None:
    """The day that a heading gives.

    >>> written("0431-11-13").year, written("my-notes.md")
    (431, None)
    """
    try:
        return date.fromisoformat(heading)
    except ValueError:
        return None
