"""A promise beside what was measured: the same row in the timed proofs of every room."""

from __future__ import annotations

from typing import Any


def promised(
    what: str, reached: float | None, bar: float, holds: bool | None = None, /, **where: Any
) -> dict[str, Any]:
    """One row for JSON: what is promised and `where`, what was `reached`, the `bar`, and whether it `holds`.

    Unless told it holds where `reached` is at least `bar`; None was not reached at all.

    >>> promised("speed at batch 1", 2.5, 2.4, rows=1)
    {'promise': 'speed at batch 1', 'rows': 1, 'reached': 2.5, 'bar': 2.4, 'holds': True}
    """
    if holds is None:
        holds = reached is not None and reached >= bar
    return {"promise": what, **where, "reached": reached, "bar": bar, "holds": holds}


def level_with_the_best(what: str, against: dict[str, dict[str, Any]], /, **where: Any) -> dict[str, Any]:
    """The row of a race: the ratio to the `best` of the others, held where its interval reaches 1.

    `against` has a `ratio` and an `interval` for each of them; whatever is blocked has none and is passed over.
    """
    raced = {name: theirs for name, theirs in against.items() if "ratio" in theirs}
    best = min(raced, key=lambda name: raced[name]["ratio"])
    return promised(what, raced[best]["ratio"], 1, raced[best]["interval"][1] >= 1, **where, best=best)
