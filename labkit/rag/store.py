"""The store: chunks with their vectors and full text in one LanceDB table on disk, behind three functions.

    store = open_store(folder, embedder)        makes or opens it
    ingest(store, documents, withdrawn=ids)     brings it up to date
    search(store, question, k=10)               finds chunks (`labkit.rag.searching`)

A document's chunks come and go in one commit of the table together with its digest. So an ingest that is killed, or
runs out of disk, leaves whole documents, and the same call afterwards does what was left: nothing is lost or doubled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.measure.progress import progress
from labkit.rag.approximate import COLUMN, Effort, Kind, build_index
from labkit.rag.chunking import Chunker, sentence_chunks
from labkit.rag.document import Chunk, Document
from labkit.rag.embedder import Embedder
from labkit.rag.store_errors import reading, writing

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import Table

TABLE = "chunks"
COMMIT = 256
"""Chunks, at least, that are encoded and committed together."""


@dataclass(frozen=True)
class Store:
    """Vectors are compared one by one, or with an `effort` found by the index of the table."""

    table: Table
    embedder: Embedder
    effort: Effort | None = None


@dataclass(frozen=True)
class Ingested:
    """Numbers of documents."""

    written: int
    unchanged: int
    withdrawn: int


def open_store(folder: Path, embedder: Embedder, effort: Effort | None = None) -> Store:
    """The store in `folder`, made where there is none.

    Raises `ValueError` if its vectors were made by another embedder or `folder` is a file, `OSError` if it is damaged
    or cannot be written.
    """
    import lancedb
    from lancedb.index import FTS

    if folder.is_file():
        raise ValueError(f"{folder} is a file; a store needs a folder.")
    database = lancedb.connect(folder)
    if TABLE in database.list_tables().tables:
        with reading(folder):
            table = database.open_table(TABLE)
        _check_embedder(folder, table, embedder)
    else:
        with writing():
            table = database.create_table(TABLE, schema=_schema(embedder))
            table.create_index("text", config=FTS(stem=False, remove_stop_words=False))
    return Store(table, embedder, effort)


def with_index(store: Store, kind: Kind = "ivf", effort: int = 16) -> Store:
    """The same store with an index over the vectors it holds now (`labkit.rag.approximate`), and how hard to look.

    Raises `ValueError` as `build_index` does, `OSError` where the disk does not take it.
    """
    with writing(store.table):
        build_index(store.table, kind)
    return dataclasses.replace(store, effort=Effort(kind, effort))


def stored_ids(store: Store) -> set[str]:
    """The ids of all documents that have a chunk here."""
    return set(_digests(store))


def ingest(
    store: Store, documents: Sequence[Document], withdrawn: Iterable[str] = (), chunker: Chunker = sentence_chunks
) -> Ingested:
    """Stores new documents, replaces the chunks of changed ones, removes those whose ids are `withdrawn`.

    Raises `ValueError` for an id that stands twice, or a vector that is not finite or of another width than the
    store's, before the document is stored; `OSError` where the disk does not take it. What was stored until then stays.
    """
    ids = [document.id for document in documents]
    if len(set(ids)) < len(ids):
        raise ValueError(f"The id {next(i for i in ids if ids.count(i) > 1)!r} belongs to two documents.")
    digests = _digests(store)
    gone = [i for i in dict.fromkeys(withdrawn) if i in digests and i not in set(ids)]
    if gone:
        with writing(store.table):
            store.table.delete(_documents_are(gone))
    stale = [d for d in documents if digests.get(d.id) != d.digest]
    for group in progress(list(_groups(stale, chunker)), "Ingesting"):
        _commit(store, group)
    with writing(store.table):
        store.table.optimize()
    return Ingested(len(stale), len(documents) - len(stale), len(gone))


def _schema(embedder: Embedder) -> pa.Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    columns = {"id": text, "document": text, "digest": text, "heading": text, "text": text, "start": number}
    vector = pa.list_(pa.float32(), embedder.width)
    return pa.schema({**columns, "end": number, "vector": vector}, metadata={"embedder": embedder.name})


def _check_embedder(folder: Path, table: Table, embedder: Embedder) -> None:
    made_by = (table.schema.metadata or {}).get(b"embedder", b"").decode()
    width = table.schema.field(COLUMN).type.list_size
    if (made_by, width) != (embedder.name, embedder.width):
        raise ValueError(
            f"{folder} holds vectors of {made_by!r} ({width} wide), not of {embedder.name!r} ({embedder.width}): "
            "use another folder."
        )


def _digests(store: Store) -> dict[str, str]:
    """The digest of each stored document."""
    with reading(store.table.uri):
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
    if not np.isfinite(vectors).all():
        wrong = cut[int(np.argmin(np.isfinite(vectors).all(axis=1)))][1]
        raise ValueError(f"The embedder gave a vector that is not finite for {wrong.id}.")
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
    with writing(store.table):
        if not rows:
            store.table.delete(replaced)
            return
        merge = store.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.when_not_matched_by_source_delete(replaced).execute(rows)


def _documents_are(ids: Sequence[str]) -> str:
    quoted = ", ".join("'" + i.replace("'", "''") + "'" for i in ids)
    return f"document IN ({quoted})"
