"""Search in a store: by words, by more words than were asked, by vectors, or by the last two rankings fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from labkit.rag.approximate import vector_query
from labkit.rag.document import Chunk
from labkit.rag.feedback import expanded
from labkit.rag.fusion import reciprocal_rank_fusion
from labkit.rag.store import Store
from labkit.rag.store_errors import reading

if TYPE_CHECKING:
    from lancedb.query import FullTextQuery

DEPTH = 100
"""Chunks of each ranking that are fused."""
How = Literal["words", "more words", "vectors", "both"]


@dataclass(frozen=True)
class Found:
    """`score` is comparable within one search only."""

    chunk: Chunk
    score: float


def search(store: Store, query: str, k: int = 10, how: How = "both") -> list[Found]:
    """The `k` best chunks by BM25 over `words`, the same with `more words` that its first finds suggest
    (`labkit.rag.feedback`), by cosine of `vectors`, or by the fusion of `both` of the last two.

    Raises `ValueError` for an empty query, an empty store, k below 1, or another `how`.
    """
    check_query(store, query, k)
    if how == "words":
        return by_words(store, query, k)
    if how == "more words":
        return by_more_words(store, query, by_words(store, query, DEPTH), k)
    if how == "vectors":
        return by_vector(store, store.embedder.encode([query])[0], k)
    if how != "both":
        raise ValueError(f"how={how!r} is unknown; say 'words', 'more words', 'vectors' or 'both'.")
    depth = max(k, DEPTH)
    more = by_more_words(store, query, by_words(store, query, DEPTH), depth)
    return fused([more, by_vector(store, store.embedder.encode([query])[0], depth)])[:k]


def check_query(store: Store, query: str, k: int) -> None:
    """Raises `ValueError` for what cannot be searched."""
    if not query.strip():
        raise ValueError("The query is empty.")
    if k < 1:
        raise ValueError(f"k is at least 1; got {k}.")
    if store.table.count_rows() == 0:
        raise ValueError("Nothing is stored yet: ingest documents first.")


def by_words(store: Store, query: str, k: int) -> list[Found]:
    """The `k` best chunks by BM25 that hold a word of the query."""
    from lancedb.query import MatchQuery

    return _by_text(store, MatchQuery(query, "text"), k)


def by_more_words(store: Store, query: str, finds: Sequence[Found], k: int) -> list[Found]:
    """The `k` best chunks by BM25 over the words of the query and those of the `finds` of a first search."""
    from lancedb.query import BooleanQuery, MatchQuery, Occur

    weights = expanded(query, [found.chunk.text for found in finds])
    if not weights:
        return list(finds[:k])
    words = [(Occur.SHOULD, MatchQuery(word, "text", boost=weight)) for word, weight in weights.items()]
    return _by_text(store, BooleanQuery(words), k)


def says(store: Store, word: str) -> bool:
    """Whether any chunk holds this word, whatever its case, or any heading these letters."""
    from lancedb.query import MatchQuery

    if _by_text(store, MatchQuery(word, "text"), 1):
        return True
    letters = word.lower().replace("'", "''")
    with reading(store.table.uri):
        return store.table.count_rows(f"lower(heading) LIKE '%{letters}%'") > 0


def _by_text(store: Store, query: FullTextQuery, k: int) -> list[Found]:
    with reading(store.table.uri):
        rows = store.table.search(query, query_type="fts").limit(k).to_list()
    return [Found(_chunk(row), row["_score"]) for row in rows]


def by_vector(store: Store, vector: Float[np.ndarray, " width"], k: int) -> list[Found]:
    """The `k` chunks of largest inner product with a query's vector."""
    with reading(store.table.uri):
        rows = vector_query(store.table, vector, k, store.effort).to_list()
    return [Found(_chunk(row), 1 - row["_distance"]) for row in rows]


def fused(rankings: Sequence[Sequence[Found]]) -> list[Found]:
    """One ranking out of several, by reciprocal ranks."""
    chunks = {found.chunk.id: found.chunk for ranking in rankings for found in ranking}
    scores = reciprocal_rank_fusion([[found.chunk.id for found in ranking] for ranking in rankings])
    return [Found(chunks[name], score) for name, score in scores]


def _chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(row["document"], row["start"], row["end"], row["text"], row["heading"])
