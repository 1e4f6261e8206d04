"""What this room promises, each promise beside what the same run measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkit.measure.promise import level_with_the_best, promised

BANDWIDTH = 0.60
"""Of the measured read bandwidth, at which the active experts of a single token are fetched at least."""


def bars(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a cell of the race beside transformers, and one for each shape's single token."""
    return [promise for row in rows for promise in _promises(row)]


def _promises(row: dict[str, Any]) -> Iterable[dict[str, Any]]:
    where = {name: row[name] for name in ("shape", "tokens", "way")}
    yield level_with_the_best("level with the best backend of transformers", row["against"], **where)
    if "share of bandwidth" in row:
        yield promised("share of read bandwidth", row["share of bandwidth"], BANDWIDTH, **where)
