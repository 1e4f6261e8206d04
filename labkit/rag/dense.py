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
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return best, np.take_along_axis(similarity, best, axis=1)
