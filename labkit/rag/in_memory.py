"""faiss, the in-memory comparison: indices of the store's kinds over vectors that stay in memory and are never written.

    exact   every vector is compared (IndexFlatIP)
    ivf     vectors in partitions; a search reads the nearest `effort` of them (IndexIVFFlat)
    hnsw    a graph over whole vectors; `effort` candidates are kept (IndexHNSWFlat)

Douze et al., "The Faiss library" (arXiv 2401.08281). What it saves is the file and the table around the vectors; what
it lacks is what they give: text beside the vector, changes that survive, memory that does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from labkit.rag.approximate import SMALLEST, Effort, Kind

NEIGHBOURS = 32
"""Edges of a vertex in the graph."""
MEMORY_KINDS: tuple[Kind, ...] = ("ivf", "hnsw")
Search = Callable[[Float[np.ndarray, " width"]], Sequence[int]]


class MemoryIndex:
    """An index by inner product. Raises `ValueError` for a kind that is not in `MEMORY_KINDS` or too few vectors.

    Needs the package faiss-cpu, and on macOS a process in which torch has not started its own OpenMP.
    """

    def __init__(self, vectors: Float[np.ndarray, "documents width"], kind: Kind | None = None) -> None:
        """Without a `kind` every vector is compared."""
        self.kind, self.index = kind, _empty(kind, *vectors.shape)
        self.index.train(vectors)
        self.index.add(vectors)

    def search(self, k: int, effort: Effort | None = None) -> Search:
        """A function from a query to the numbers of the `k` nearest, best first."""
        if effort is not None and self.kind == "ivf":
            self.index.nprobe = effort.effort
        if effort is not None and self.kind == "hnsw":
            self.index.hnsw.efSearch = max(effort.effort, k)
        return lambda query: self.index.search(query[None], k)[1][0].tolist()


def _empty(kind: Kind | None, count: int, width: int) -> Any:
    import faiss

    if kind is None:
        return faiss.IndexFlatIP(width)
    if kind not in MEMORY_KINDS:
        raise ValueError(f"kind={kind!r} has no counterpart in memory; say {', '.join(map(repr, MEMORY_KINDS))}.")
    if count < SMALLEST:
        raise ValueError(f"An index needs at least {SMALLEST} vectors; {count} are searched one by one in no time.")
    if kind == "hnsw":
        return faiss.IndexHNSWFlat(width, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    return faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, int(count**0.5), faiss.METRIC_INNER_PRODUCT)
