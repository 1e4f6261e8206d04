"""The store behind three functions: chunks with their vectors and full text in one LanceDB table on disk.

    store = open_store(folder, embedder)        makes or opens it
    ingest(store, documents, withdrawn=ids)     brings it up to date
    search(store, question, k=10)               finds chunks by words, by vectors, or by both

A document's chunks come and go in one commit of the table together with its digest. So an ingest that is killed, or
runs out of disk, leaves whole documents, and the same call afterwards does what was left: nothing is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from labkit.measure.progress import progress
from labkit.rag.chunking import Chunker, sentence_chunks
from labkit.rag.document import Chunk, Document
from labkit.rag.embedder import Embedder
from labkit.rag.fusion import reciprocal_rank_fusion

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

TABLE = "chunks"
COMMIT = 256
"""Chunks, at least, that are encoded and committed together."""
DEPTH = 100
"""Chunks of each ranking that are fused."""
How = Literal["words", "vectors", "both"]


@dataclass(frozen=True)
class Store:
    table: Table
    embedder: Embedder


@dataclass(frozen=True)
class Ingested:
    """Numbers of documents."""

    written: int
    unchanged: int
    withdrawn: int


@dataclass(frozen=True)
class Found:
    """`score` is comparable within one search only."""

    chunk: Chunk
    score: float


def open_store(folder: Path, embedder: Embedder) -> Store:
    """The store in `folder`, made where there is none.

    Raises `ValueError` if its vectors were made by another embedder.
    """
    import lancedb
    from lancedb.index import FTS

    database = lancedb.connect(folder)
    if TABLE in database.list_tables().tables:
        table = database.open_table(TABLE)
        made_by = (table.schema.metadata or {}).get(b"embedder", b"").decode()
        if made_by != embedder.name:
            raise ValueError(f"{folder} holds vectors of {made_by!r}, not of {embedder.name!r}: use another folder.")
    else:
        table = database.create_table(TABLE, schema=_schema(embedder))
        table.create_index("text", config=FTS(stem=False, remove_stop_words=False))
    return Store(table, embedder)


def ingest(
    store: Store, documents: Sequence[Document], withdrawn: Iterable[str] = (), chunker: Chunker = sentence_chunks
) -> Ingested:
    """Stores new documents, replaces the chunks of changed ones, removes those whose ids are `withdrawn`.

    Raises `ValueError` for an id that stands twice or a vector of another width than the store's, before the document
    is stored.
    """
    ids = [document.id for document in documents]
    if len(set(ids)) < len(ids):
        raise ValueError(f"The id {next(i for i in ids if ids.count(i) > 1)!r} belongs to two documents.")
    digests = _digests(store)
    gone = [i for i in dict.fromkeys(withdrawn) if i in digests and i not in set(ids)]
    if gone:
        store.table.delete(_documents_are(gone))
    stale = [d for d in documents if digests.get(d.id) != d.digest]
    for group in progress(list(_groups(stale, chunker)), "Ingesting"):
        _commit(store, group)
    store.table.optimize()
    return Ingested(len(stale), len(documents) - len(stale), len(gone))


def search(store: Store, query: str, k: int = 10, how: How = "both") -> list[Found]:
    """The `k` best chunks by BM25 over `words`, by cosine of `vectors`, or by the fusion of `both` rankings.

    Raises `ValueError` for an empty query, an empty store, k below 1, or another `how`.
    """
    if not query.strip():
        raise ValueError("The query is empty.")
    if k < 1:
        raise ValueError(f"k is at least 1; got {k}.")
    if store.table.count_rows() == 0:
        raise ValueError("Nothing is stored yet: ingest documents first.")
    if how == "words":
        return _by_words(store, query, k)
    if how == "vectors":
        return _by_vectors(store, query, k)
    if how != "both":
        raise ValueError(f"how={how!r} is unknown; say 'words', 'vectors' or 'both'.")
    rankings = [_by_words(store, query, max(k, DEPTH)), _by_vectors(store, query, max(k, DEPTH))]
    chunks = {found.chunk.id: found.chunk for ranking in rankings for found in ranking}
    fused = reciprocal_rank_fusion([[found.chunk.id for found in ranking] for ranking in rankings])
    return [Found(chunks[name], score) for name, score in fused[:k]]


def _by_words(store: Store, query: str, k: int) -> list[Found]:
    from lancedb.query import MatchQuery

    rows = store.table.search(MatchQuery(query, "text"), query_type="fts").limit(k).to_list()
    return [Found(_chunk(row), row["_score"]) for row in rows]


def _by_vectors(store: Store, query: str, k: int) -> list[Found]:
    vector = store.embedder.encode([query])[0]
    rows = store.table.search(vector, query_type="vector").distance_type("dot").limit(k).to_list()
    return [Found(_chunk(row), 1 - row["_distance"]) for row in rows]


def _schema(embedder: Embedder) -> pa.Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    columns = {"id": text, "document": text, "digest": text, "heading": text, "text": text, "start": number}
    vector = pa.list_(pa.float32(), embedder.width)
    return pa.schema({**columns, "end": number, "vector": vector}, metadata={"embedder": embedder.name})


def _digests(store: Store) -> dict[str, str]:
    """The digest of each stored document."""
    columns = store.table.search().select(["document", "digest"]).to_arrow()
    return dict(zip(columns["document"].to_pylist(), columns["digest"].to_pylist(), strict=True))


Cut = tuple[Document, list[Chunk]]


def _groups(documents: Sequence[Document], chunker: Chunker) -> Iterator[list[Cut]]:
    """Documents with their chunks, in groups that are worth a commit."""
    group: list[Cut] = []
    for document in documents:
        group.append((document, chunker(document)))
        if sum(len(chunks) for _, chunks in group) >= COMMIT:
            yield group
            group = []
    if group:
        yield group


def _commit(store: Store, group: Sequence[Cut]) -> None:
    """Replaces all chunks of these documents at once."""
    cut = [(document, chunk) for document, chunks in group for chunk in chunks]
    vectors = np.asarray(store.embedder.encode([chunk.text for _, chunk in cut]), dtype=np.float32)
    if vectors.shape != (len(cut), store.embedder.width):
        raise ValueError(f"The embedder gave {vectors.shape} for {len(cut)} chunks of width {store.embedder.width}.")
    rows = [
        {
            "id": chunk.id,
            "document": document.id,
            "digest": document.digest,
            "heading": chunk.heading,
            "text": chunk.text,
            "start": chunk.start,
            "end": chunk.end,
            "vector": vector,
        }
        for (document, chunk), vector in zip(cut, vectors, strict=True)
    ]
    replaced = _documents_are([document.id for document, _ in group])
    if not rows:
        store.table.delete(replaced)
        return
    merge = store.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
    merge.when_not_matched_by_source_delete(replaced).execute(rows)


def _documents_are(ids: Sequence[str]) -> str:
    quoted = ", ".join("'" + i.replace("'", "''") + "'" for i in ids)
    return f"document IN ({quoted})"


def _chunk(row: dict) -> Chunk:
    return Chunk(row["document"], row["start"], row["end"], row["text"], row["heading"])
