"""Dense retrieval: the texts whose vectors point where the question's does."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _vector_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, vectors: list[list[float]], query: list[float], k: int) -> Case:
        return Case(label, vectors=np.array(vectors, dtype=float), query=np.array(query, dtype=float), k=k)

    fixed = [
        case("the same direction", [[0, 1], [1, 0]], [3, 0], 1),
        case("long but elsewhere", [[1, 0.1], [3, 9], [0.2, 0]], [1, 0], 2),
        case("a long query", [[1, 0], [0.6, 0.8], [0, 1]], [0, 50], 3),
        case("the opposite comes last", [[-1, 0], [0, 2], [4, 1]], [1, 0], 3),
        case("fewer than k", [[1, 2], [2, 1]], [1, 1.5], 5),
        case("one text", [[0.5, 0.5]], [1, 0], 1),
        case("equally near", [[0, 1], [2, 0], [0, 3], [1, 0]], [1.5, 0], 2),
    ]
    return [*fixed, *(_drawn_vectors(rng) for _ in range(10))]


def _drawn_vectors(rng: np.random.Generator) -> Case:
    texts, width = int(rng.integers(6, 15)), int(rng.integers(3, 9))
    lengths = rng.uniform(0.2, 5.0, size=(texts, 1))
    vectors = np.round(lengths * rng.standard_normal((texts, width)), 3)
    query = np.round(rng.uniform(0.2, 4.0) * rng.standard_normal(width), 3)
    return Case(vectors=vectors, query=query, k=int(rng.integers(2, texts)))


def _nearest(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    """Text by text, by the distance of unit vectors, which falls as the cosine rises."""

    def apart(n: int) -> float:
        gap = vectors[n] / np.linalg.norm(vectors[n]) - query / np.linalg.norm(query)
        return round(float(gap @ gap), 12)  # what is equal by the formula may differ in the last bit

    return sorted(range(len(vectors)), key=apart)[:k]


def _turned_around(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    """Best first by turning a sorted list around, which turns what is equally near around as well."""
    return np.argsort(np.round(_cosine(vectors, query), 12), kind="stable")[::-1][:k].tolist()


def _by(score, k_of=lambda k: k):
    """The k greatest scores, as a learner may have them in mind."""

    def nearest(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
        scores = np.round(score(vectors, query), 12)
        return np.argsort(-scores, kind="stable")[: k_of(k)].tolist()

    return nearest


def _cosine(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    return vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))


def _in_order_of_text(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    return sorted(_nearest(vectors, query, k))


def _scores_instead(vectors: np.ndarray, query: np.ndarray, k: int) -> list[float]:
    cosines = _cosine(vectors, query)
    return [float(cosines[n]) for n in _nearest(vectors, query, k)]


NEAREST = Exercise(
    name="nearest",
    title="The texts that point the same way",
    difficulty=2,
    importance=4,
    minutes=6,
    cases=_vector_cases,
    judge=oracle_judge(
        _nearest,
        (
            Misconception(
                _by(lambda vectors, query: vectors @ query),
                "you compared inner products; a long vector then wins by its length, divide by it",
            ),
            Misconception(
                _by(lambda vectors, query: -np.linalg.norm(vectors - query, axis=1)),
                "you took the distance between the ends; the angle is asked for, and lengths do not count",
            ),
            Misconception(
                _by(lambda vectors, query: -_cosine(vectors, query)),
                "your order is upside down: the largest cosine comes first",
            ),
            Misconception(
                _by(lambda vectors, query: np.abs(_cosine(vectors, query))),
                "you took the size of the cosine; the opposite direction is the farthest, not the nearest",
            ),
            Misconception(
                _turned_around,
                "you turned a sorted list around, and equally near texts with it; sort by the negative cosine, kind='stable'",
            ),
            Misconception(
                _by(_cosine, k_of=lambda k: None),
                "you returned all texts; the first k are asked for",
            ),
            Misconception(
                _by(_cosine, k_of=lambda k: k + 1),
                "you returned one too many",
            ),
            Misconception(_in_order_of_text, "you returned the right texts in their own order; the best comes first"),
            Misconception(_scores_instead, "you returned the cosines; the numbers of the texts are asked for"),
        ),
    ),
    hints=(
        "Cosine: the inner product over both lengths. One product of a matrix and a vector gives all inner products.",
        "scores = vectors @ query / np.linalg.norm(vectors, axis=1); the query's own length changes no order.",
        "return np.argsort(-scores, kind='stable')[:k].tolist()",
    ),
)
