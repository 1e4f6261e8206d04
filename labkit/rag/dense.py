"""Exact dense retrieval: the documents whose vectors are the most similar to the question's."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def nearest(
    vectors: Float[np.ndarray, "documents width"], queries: Float[np.ndarray, "queries width"], k: int
) -> tuple[Int[np.ndarray, "queries k"], Float[np.ndarray, "queries k"]]:
    """Indices and inner products of the `k` nearest documents a query (all, if there are fewer), best first.

    With vectors of length one the inner product is the cosine. It takes 2 x queries x documents x width FLOPs, and
    ties go to the lower index. Raises `ValueError` for vectors of another width.

    >>> nearest(np.eye(3), np.array([[0.0, 0.6, 0.8]]), k=2)[0].tolist()
    [[2, 1]]
    """
    if vectors.ndim != 2 or queries.ndim != 2 or vectors.shape[1] != queries.shape[1]:
        raise ValueError(f"Vectors of shape {vectors.shape} cannot be compared with queries of shape {queries.shape}.")
    similarity = queries @ vectors.T
    k = min(k, len(vectors))
    best = np.array([largest(row, k) for row in similarity], dtype=np.int64).reshape(len(queries), k)
    return best, np.take_along_axis(similarity, best, axis=1)


def largest(row: Float[np.ndarray, " documents"], k: int) -> Int[np.ndarray, " k"]:
    """The places of the `k` largest, best first; ties go to the lower place.

    Only what is as large as the k-th largest is sorted: of a hundred thousand numbers that is a few.

    >>> largest(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist()
    [1, 3, 2]
    """
    kept = np.flatnonzero(row >= np.partition(row, -k)[-k]) if 0 < k < len(row) else np.arange(len(row))
    return kept[np.argsort(-row[kept], kind="stable")[:k]]
