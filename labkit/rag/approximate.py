"""Approximate search: an index of the store itself that looks at few vectors and misses few of the nearest.

    ivf     vectors in partitions around centroids; a search reads the nearest `effort` partitions
            (Sivic and Zisserman, "Video Google", 2003)
    ivf-pq  the same with vectors packed into a byte for every 8 numbers (Jégou, Douze and Schmid, "Product
            Quantization for Nearest Neighbor Search", 2011), and the best `REFINE` x k looked up in full
    hnsw    a graph whose edges lead nearer and nearer, over vectors of one byte a number; `effort` candidates are kept
            (Malkov and Yashunin, arXiv 1603.09320), and the best looked up in full

LanceDB builds them; without one, or with `exact`, it compares every vector. More effort gives more recall and takes
longer. Rows that come after the index are compared one by one until the table is optimised, so none is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from lancedb.query import LanceVectorQueryBuilder
    from lancedb.table import Table

Kind = Literal["ivf", "ivf-pq", "hnsw"]
COLUMN = "vector"
REFINE = 10
"""Times k candidates of packed vectors that are compared again in full."""
PACKED = 8
"""Numbers that `ivf-pq` packs into a byte."""
SMALLEST = 1000
"""Vectors below which there is nothing to gain and too little to place centroids by."""


@dataclass(frozen=True)
class Effort:
    """How hard to look: partitions that are read by `ivf` and `ivf-pq`, candidates that are kept by `hnsw`."""

    kind: Kind
    effort: int


def build_index(table: Table, kind: Kind) -> int:
    """Indexes the vectors of a table anew, by inner product; returns the bytes of the index on disk.

    Raises `ValueError` for another kind, for fewer vectors than `SMALLEST`, or a width that `ivf-pq` cannot pack.
    """
    rows, width = table.count_rows(), table.schema.field(COLUMN).type.list_size
    if kind not in _CONFIG:
        raise ValueError(f"kind={kind!r} is unknown; say {', '.join(map(repr, _CONFIG))}.")
    if rows < SMALLEST:
        raise ValueError(f"An index needs at least {SMALLEST} vectors; {rows} are searched one by one in no time.")
    if kind == "ivf-pq" and width % PACKED:
        raise ValueError(f"'ivf-pq' packs {PACKED} numbers a byte; a width of {width} is no multiple of it.")
    table.create_index(COLUMN, config=_CONFIG[kind](rows, width), replace=True)
    return index_bytes(table, COLUMN)


def index_bytes(table: Table, column: str) -> int:
    """Bytes on disk of the index over a column; 0 where there is none."""
    return sum(index.size_bytes or 0 for index in table.list_indices() if index.columns == [column])


def vector_query(
    table: Table, vector: Float[np.ndarray, " width"], k: int, effort: Effort | None = None
) -> LanceVectorQueryBuilder:
    """The query for the `k` rows of largest inner product, by the index with this `effort`; without, by comparing all.

    `_distance` of a row is 1 minus its inner product.
    """
    query = table.search(vector, vector_column_name=COLUMN, query_type="vector").distance_type("dot").limit(k)
    if effort is None:
        return query.bypass_vector_index()
    if effort.kind == "hnsw":
        return query.nprobes(1).ef(max(effort.effort, REFINE * k)).refine_factor(REFINE)
    query = query.nprobes(effort.effort)
    return query.refine_factor(REFINE) if effort.kind == "ivf-pq" else query


def _partitions(rows: int) -> int:
    """The square root: a search then compares about as many centroids as vectors of a partition."""
    return int(rows**0.5)


def _ivf(rows: int, width: int) -> Any:
    from lancedb.index import IvfFlat

    return IvfFlat(distance_type="dot", num_partitions=_partitions(rows))


def _ivf_pq(rows: int, width: int) -> Any:
    from lancedb.index import IvfPq

    return IvfPq(distance_type="dot", num_partitions=_partitions(rows), num_sub_vectors=width // PACKED)


def _hnsw(rows: int, width: int) -> Any:
    from lancedb.index import IvfHnswSq

    return IvfHnswSq(distance_type="dot", num_partitions=1)


_CONFIG: dict[str, Callable[[int, int], Any]] = {"ivf": _ivf, "ivf-pq": _ivf_pq, "hnsw": _hnsw}
