"""What an index gives and costs: recall against latency, time to build and bytes, with the exact search beside it.

Two exact searches stand beside it, for they are not alike: the store's own, which reads vectors from its file, and one
product of matrices over vectors in memory (`labkit.rag.dense`). An index has to be compared with what it replaces.
Where faiss is asked for too, its indices over vectors in memory are compared with its own exact search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from labkit.evaluation.intervals import Estimate, ratio_of_sums
from labkit.measure.comparison import compare
from labkit.measure.report import Report, Table, si
from labkit.rag.approximate import COLUMN, Effort, Kind, build_index, vector_query
from labkit.rag.dense import nearest
from labkit.rag.generated import clusters
from labkit.rag.in_memory import MemoryIndex, Search
from labkit.rag.measures import recall_at_k

if TYPE_CHECKING:
    from lancedb.table import Table as LanceTable

K = 10
WIDTH = 384
"""The width of the commonest small sentence encoders."""
Efforts = Mapping[Kind, Sequence[int]]
EFFORTS: Efforts = {"ivf": (1, 4, 16, 64), "ivf-pq": (4, 16, 64), "hnsw": (100, 200, 400)}
IN_MEMORY: Efforts = {"ivf": (1, 4, 16, 64), "hnsw": (16, 64, 256)}
Vectors = Float[np.ndarray, "documents width"]
Queries = Float[np.ndarray, "queries width"]
Truth = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Built:
    """An index: seconds to build it, bytes on disk (0 where it lies in memory only)."""

    kind: Kind
    seconds: float
    nbytes: int


@dataclass(frozen=True)
class Trade:
    """One effort: recall@10 against the exact search, and how many times faster than it a query is."""

    effort: Effort
    recall: Estimate
    seconds: float
    speedup: float
    low: float
    high: float


@dataclass(frozen=True)
class IndexTrial(Report):
    """`exact_seconds` of a query by the store's own comparison of all vectors, `memory_seconds` by `nearest`.

    `in_memory` are the trades of faiss, whose exact search is what they are faster than.
    """

    vectors: int
    width: int
    vector_bytes: int
    exact_seconds: float
    memory_seconds: float
    built: tuple[Built, ...]
    trades: tuple[Trade, ...]
    in_memory: tuple[Trade, ...] = ()

    def best(self, recall: float) -> Trade | None:
        """The fastest of at least this recall; None where there is none."""
        return max((t for t in self.trades if t.recall.value >= recall), key=lambda t: t.speedup, default=None)

    def table(self) -> Table:
        rows = [_row(t) for t in self.trades] + [_row(t, "faiss ") for t in self.in_memory]
        built = "; ".join(f"{b.kind} built in {si(b.seconds, 's')}, {si(b.nbytes, 'B')}" for b in self.built)
        columns = ["index", "effort", f"recall@{K} (95 %)", "time of a query", "speed (ratio)", "95 % interval"]
        exact = f"{si(self.exact_seconds, 's')} in the store and {si(self.memory_seconds, 's')} in memory"
        note = f"Comparing all {si(self.vector_bytes, 'B')} of vectors takes {exact}. {built}."
        return Table(f"Search among {self.vectors:,} vectors of width {self.width}", columns, rows, note)


def index_trial(
    folder: Path,
    count: int,
    width: int = WIDTH,
    efforts: Efforts = EFFORTS,
    queries: int = 100,
    rounds: int = 7,
    seed: int = 0,
    in_memory: Efforts | None = None,
) -> IndexTrial:
    """Builds each index over generated vectors in `folder`, one after another, and asks it with each effort.

    `in_memory` are the efforts of faiss, which is left alone without them. Times are wall time on all threads,
    alternated with the exact search. Raises `ValueError` as `build_index` and `MemoryIndex` do.
    """
    drawing = clusters(width, int(count**0.5), seed=seed)
    vectors = np.concatenate(list(drawing.batches(count, seed + 1)))
    table = vector_table(folder, [vectors], width)
    asked = drawing.draw(queries, seed)
    truth = [nearest(vectors, query[None], K)[0][0].tolist() for query in asked]
    built, trades, exact = [], [], []
    for kind, steps in efforts.items():
        start = time.perf_counter()
        nbytes = build_index(table, kind)
        built.append(Built(kind, time.perf_counter() - start, nbytes))
        for step in steps:
            searches = [_in_store(table, effort) for effort in (None, Effort(kind, step))]
            trade, seconds = _trade(Effort(kind, step), searches, asked, truth, rounds)
            trades.append(trade)
            exact.append(seconds)
    product = _product_seconds(table, asked, vectors, rounds)
    faiss = _faiss_trades(vectors, asked, truth, in_memory or {}, rounds)
    size = 4 * count * width
    return IndexTrial(count, width, size, float(np.median(exact)), product, tuple(built), tuple(trades), tuple(faiss))


def _row(trade: Trade, prefix: str = "") -> list[str | int]:
    speed = [f"{trade.speedup:.3g}", f"{trade.low:.3g} to {trade.high:.3g}"]
    index = prefix + trade.effort.kind
    return [index, trade.effort.effort, str(trade.recall), si(trade.seconds, "s"), *speed]


def vector_table(folder: Path, batches: Iterable[Float[np.ndarray, "batch width"]], width: int) -> LanceTable:
    """A table of vectors, numbered from 0 in a column `id`; a table that was there is replaced."""
    import lancedb
    import pyarrow as pa

    schema = pa.schema({"id": pa.int64(), COLUMN: pa.list_(pa.float32(), width)})

    def rows() -> Iterable[pa.RecordBatch]:
        first = 0
        for batch in batches:
            numbers = pa.array(np.arange(first, first + len(batch)))
            yield pa.record_batch([numbers, pa.FixedSizeListArray.from_arrays(batch.ravel(), width)], schema=schema)
            first += len(batch)

    database = lancedb.connect(folder)
    database.drop_table("vectors", ignore_missing=True)  # overwriting what is not there prints a warning with its path
    return database.create_table("vectors", data=rows(), schema=schema)


def found(table: LanceTable, query: Float[np.ndarray, " width"], effort: Effort | None = None) -> list[int]:
    """The numbers of the `K` nearest vectors."""
    return vector_query(table, query, K, effort).select(["id", "_distance"]).to_arrow()["id"].to_pylist()


def _in_store(table: LanceTable, effort: Effort | None) -> Search:
    return lambda query: found(table, query, effort)


def _trade(
    effort: Effort, searches: Sequence[Search], asked: Queries, truth: Truth, rounds: int
) -> tuple[Trade, float]:
    """What the second of two `searches` gives and costs, and the seconds of a query by the first, which is exact."""
    recalls = [recall_at_k(searches[1](q), set(t), K) for q, t in zip(asked, truth, strict=True)]
    pair = [_calls(search, asked) for search in searches]
    measured = compare(*pair, check=None, threads="all", rounds=rounds, names=("exact", effort.kind))
    recall = ratio_of_sums(recalls, [1.0] * len(recalls))
    speed = measured.ratio, measured.low, measured.high
    return Trade(effort, recall, measured.candidate_seconds, *speed), measured.baseline_seconds


def _faiss_trades(vectors: Vectors, asked: Queries, truth: Truth, efforts: Efforts, rounds: int) -> Iterator[Trade]:
    if not efforts:
        return
    exact = MemoryIndex(vectors).search(K)
    for kind, steps in efforts.items():
        index = MemoryIndex(vectors, kind)
        for step in steps:
            effort = Effort(kind, step)
            yield _trade(effort, [exact, index.search(K, effort)], asked, truth, rounds)[0]


def _product_seconds(table: LanceTable, asked: Queries, vectors: Vectors, rounds: int) -> float:
    """Seconds of a query by one product over vectors in memory, alternated with the store's comparison of all."""
    pair = [
        _calls(search, asked) for search in (_in_store(table, None), lambda query: nearest(vectors, query[None], K))
    ]
    return compare(*pair, check=None, threads="all", rounds=rounds).candidate_seconds


def _calls(search: Callable[[Any], object], asked: Queries) -> Callable[[], object]:
    following = cycle(asked)
    return lambda: search(next(following))
