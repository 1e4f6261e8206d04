"""Counting before timing: the operations and bytes of a matrix product, the traffic of the triad."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _product_cases(rng: np.random.Generator) -> list[Case]:
    tiny = [(1, 1, 1, 1), (1, 2, 2, 4), (2, 1, 3, 2), (3, 4, 1, 8)]
    shapes = [(*rng.integers(1, 5000, 3).tolist(), int(rng.choice([1, 2, 4, 8]))) for _ in range(12)]
    names = ("m", "k", "n", "bytes_per_element")
    return [Case(**dict(zip(names, shape, strict=True))) for shape in [*tiny, *shapes]]


def _matmul_cost(m: int, k: int, n: int, bytes_per_element: int) -> tuple[int, int]:
    multiplications = additions = m * n * k
    rows, weights, results = m * k, k * n, m * n
    return multiplications + additions, sum(part * bytes_per_element for part in (rows, weights, results))


MATMUL_COST = Exercise(
    name="matmul_cost",
    title="Count a matrix product",
    difficulty=1,
    importance=5,
    minutes=5,
    cases=_product_cases,
    judge=oracle_judge(
        _matmul_cost,
        (
            Misconception(
                lambda m, k, n, bytes_per_element: (m * k * n, bytes_per_element * (m * k + k * n + m * n)),
                "you counted one operation for each weight and row; there are two, a multiplication and an addition",
            ),
            Misconception(
                lambda m, k, n, bytes_per_element: (2 * m * k * n, bytes_per_element * (m * k + k * n)),
                "you left out the results: m x n numbers have to be written as well",
            ),
            Misconception(
                lambda m, k, n, bytes_per_element: (2 * m * k * n, bytes_per_element * k * n),
                "you counted the weights alone; the rows come in and the results go out too",
            ),
            Misconception(
                lambda m, k, n, bytes_per_element: (2 * m * k * n, m * k + k * n + m * n),
                "you counted elements, not bytes",
            ),
            Misconception(
                lambda m, k, n, bytes_per_element: (2 * m * k * n, 3 * bytes_per_element * m * k * n),
                "you let the operands travel again for every multiplication; each element has to travel only once",
            ),
            Misconception(
                lambda m, k, n, bytes_per_element: (bytes_per_element * (m * k + k * n + m * n), 2 * m * k * n),
                "the two numbers are swapped: operations come first, then bytes",
            ),
        ),
    ),
    hints=(
        "Both formulas stand above the exercise. The operations depend on all three sizes; the bytes are a sum of three matrices.",
        "Operations: two for each of the m * k * n pairs. Bytes: the sizes m x k, k x n and m x n, times the bytes of an element.",
        "flops = 2 * m * k * n; num_bytes = bytes_per_element * (first matrix + second matrix + result); return both",
    ),
)


def _triad_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(1, 1, 1.0), (1_000_000, 4, 1e-3), (1, 8, 1e-9)]
    drawn = [
        (int(rng.integers(1, 10**9)), int(rng.choice([1, 2, 4, 8])), float(10 ** rng.uniform(-6, 1))) for _ in range(10)
    ]
    return [Case(elements=n, bytes_per_element=e, seconds=s) for n, e, s in [*fixed, *drawn]]


TRIAD_BANDWIDTH = Exercise(
    name="triad_bandwidth",
    title="From seconds to bytes per second",
    difficulty=1,
    importance=4,
    minutes=4,
    cases=_triad_cases,
    judge=oracle_judge(
        lambda elements, bytes_per_element, seconds: sum([elements * bytes_per_element / seconds] * 3),
        (
            Misconception(
                lambda elements, bytes_per_element, seconds: 2 * elements * bytes_per_element / seconds,
                "you counted the two arrays that are read and forgot the one that is written",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: elements * bytes_per_element / seconds,
                "you counted one array; three take part",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: 3 * elements * bytes_per_element / seconds / 1e9,
                "you returned gigabytes per second; bytes per second are asked for",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: 4 * elements * bytes_per_element / seconds,
                "you counted four trips; the processor may well fetch `a` before it overwrites it, but STREAM counts each array once",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: 3 * elements / seconds,
                "you counted elements, not bytes",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: 2 * elements / seconds,
                "you counted operations: that is arithmetic per second, not traffic",
            ),
            Misconception(
                lambda elements, bytes_per_element, seconds: seconds / (3 * elements * bytes_per_element),
                "you have seconds per byte; turn the fraction over",
            ),
        ),
    ),
    hints=(
        "Which arrays does `a = b + s * c` touch? `s` is a single number and costs nothing.",
        "Add up the bytes of every array that is read or written, then divide by the time.",
        "num_bytes = (arrays read + arrays written) * elements * bytes_per_element; return num_bytes / seconds",
    ),
)
