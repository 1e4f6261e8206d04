"""A learner's own folder as a store that keeps up with it, and a citation that says file and line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from labkit.measure.ceiling_cache import cache_folder
from labkit.rag.chunking import structure_chunks
from labkit.rag.citing import Citation
from labkit.rag.document import Document
from labkit.rag.embedder import Embedder
from labkit.rag.folder import folder_documents
from labkit.rag.store import Ingested, Store, ingest, open_store, stored_ids


@dataclass(frozen=True)
class OwnFolder:
    """A folder with its store, `ingested` just now; `unreadable` has a sentence for each file left out."""

    documents: dict[str, Document]
    store: Store
    ingested: Ingested
    unreadable: tuple[str, ...]

    def place(self, citation: Citation) -> str:
        """File and line of a citation, as editors take them."""
        before = self.documents[citation.chunk.document].text[: citation.start]
        return f"{citation.chunk.document}:{before.count(chr(10)) + 1}"

    def line(self, citation: Citation) -> str:
        """The line that says it."""
        text = self.documents[citation.chunk.document].text
        start = text.rfind("\n", 0, citation.start) + 1
        end = text.find("\n", citation.end)
        return text[start : end if end >= 0 else None].strip()


def open_folder(folder: Path, embedder: Embedder) -> OwnFolder:
    """Reads what changed since the last time, and forgets what is gone.

    Raises `ValueError` as `folder_documents` does, `OSError` where the store cannot be written.
    """
    found = folder_documents(folder)
    store = open_store(store_folder(folder, embedder), embedder)
    ids = {document.id for document in found.documents}
    ingested = ingest(store, found.documents, withdrawn=stored_ids(store) - ids, chunker=structure_chunks)
    return OwnFolder({d.id: d for d in found.documents}, store, ingested, found.unreadable)


def store_folder(folder: Path, embedder: Embedder) -> Path:
    """Where the store of a folder lies: in the user's cache, apart for each embedder, never in the folder itself."""
    names = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in (str(folder.resolve()), embedder.name)]
    return cache_folder() / "rag" / "-".join(names)
