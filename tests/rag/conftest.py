"""An embedder that needs no model: texts that share words get vectors that are near."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import pytest

from labkit.rag.bm25 import words


class WordSums:
    """A text is the sum of one random direction a word, so what it shares with another is its cosine to it."""

    def __init__(self, name: str = "word-sums", width: int = 64) -> None:
        self.name, self.width = name, width

    def encode(self, texts):
        rows = [sum((self._direction(w) for w in words(text)), np.full(self.width, 1e-6)) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, self.width)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _direction(self, word):
        return _direction(word, self.width)


@functools.cache
def _direction(word, width):
    seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
    return np.random.default_rng(seed).normal(size=width)


@pytest.fixture
def word_sums():
    return WordSums
