"""Vectors like those of texts, made up: near each other in clusters, so that an index has something to find.

Uniformly random vectors of many dimensions are all equally far from each other; no index finds the nearest of them any
faster than by looking at all, and no text is like that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

BATCH = 50_000
"""Vectors that are drawn together."""


@dataclass(frozen=True)
class Clusters:
    """`centres` of length one; a vector is a centre plus noise whose length is about `spread`, made length one."""

    centres: Float[np.ndarray, "clusters width"]
    spread: float

    def draw(self, count: int, seed: int) -> Float[np.ndarray, "count width"]:
        """Vectors of length one, in fp32, each of a random cluster; the same seed gives the same.

        >>> one, two = clusters(8, 4).draw(3, seed=0), clusters(8, 4).draw(3, seed=0)
        >>> one.shape, bool((one == two).all()), np.linalg.norm(one, axis=1).round(3).tolist()
        ((3, 8), True, [1.0, 1.0, 1.0])
        """
        rng, width = np.random.default_rng([1, seed]), self.centres.shape[1]
        noise = rng.standard_normal((count, width), dtype=np.float32) * np.float32(self.spread / width**0.5)
        vectors = self.centres[rng.integers(len(self.centres), size=count)] + noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def batches(self, count: int, seed: int) -> Iterator[Float[np.ndarray, "batch width"]]:
        """`count` vectors in pieces, for more than memory should hold at once."""
        for number, start in enumerate(range(0, count, BATCH)):
            yield self.draw(min(BATCH, count - start), seed + number)


def clusters(width: int, count: int, spread: float = 2.0, seed: int = 0) -> Clusters:
    """`count` random directions. Raises `ValueError` for fewer than 1, or a width below 2."""
    if width < 2 or count < 1:
        raise ValueError(f"Clusters need a width of at least 2 and one centre; got {width} and {count}.")
    centres = np.random.default_rng([0, seed]).standard_normal((count, width), dtype=np.float32)
    return Clusters(centres / np.linalg.norm(centres, axis=1, keepdims=True), spread)
