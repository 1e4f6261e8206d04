"""The number of rows at which a layer reaches the ridge.

The oracle bisects on the intensity; the notebook solves the inequality.
"""

from __future__ import annotations

import math

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _ridge_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        (2048, 2048, 4, 8.0),
        (8, 8, 4, 8.0),
        (1, 1, 4, 0.125),
        (64, 64, 2, 0.01),
        (8, 8, 1, 4.0),
        (8, 8, 1, 8.0),
        (64, 64, 1, 63.0),
        (2048, 2048, 4, 511.0),
        (4096, 11008, 2, 295.0),
        (64, 8192, 2, 64.0),
    ]
    cases = [*fixed]
    while len(cases) < 18:
        k, n = (int(2 ** rng.uniform(3, 14)) for _ in range(2))
        e, ridge = int(rng.choice([1, 2, 4])), float(np.round(10 ** rng.uniform(0, 3), 2))
        limit = 2 * k * n / (e * (k + n))
        if (
            ridge < 0.9 * limit or ridge > 1.1 * limit
        ):  # near the limit one rounding error decides; nobody learns from it
            cases.append((k, n, e, ridge))
    return [Case(k=k, n=n, bytes_per_element=e, ridge=r) for k, n, e, r in cases]


def _ridge_rows(k: int, n: int, bytes_per_element: int, ridge: float) -> int | None:
    def intensity(m: int) -> float:
        return 2 * m * k * n / (bytes_per_element * (m * k + k * n + m * n))

    if 2 * k * n / (bytes_per_element * (k + n)) <= ridge:  # what endless rows would approach
        return None
    low, high = 0, 1
    while intensity(high) < ridge:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if intensity(middle) >= ridge else (middle, high)
    return high


def _exact_rows(k: int, n: int, bytes_per_element: int, ridge: float) -> float:
    return ridge * bytes_per_element * k * n / (2 * k * n - ridge * bytes_per_element * (k + n))


RIDGE_ROWS = Exercise(
    name="ridge_rows",
    title="When does a layer stop waiting for its weights?",
    difficulty=4,
    importance=4,
    minutes=12,
    cases=_ridge_cases,
    judge=oracle_judge(
        _ridge_rows,
        (
            Misconception(
                lambda k, n, bytes_per_element, ridge: max(1, math.ceil(ridge * bytes_per_element / 2)),
                "you counted the weights' bytes alone; every row brings bytes of its own, and a thin layer never gets there",
            ),
            Misconception(
                lambda k, n, bytes_per_element, ridge: max(1, math.ceil(_exact_rows(k, n, bytes_per_element, ridge))),
                "you solved the equation rightly but did not ask whether it has a solution: return None where more rows never suffice",
            ),
            Misconception(
                lambda k, n, bytes_per_element, ridge: math.ceil(_exact_rows(k, n, bytes_per_element, ridge)),
                "a negative number of rows came out: there the intensity can never reach the ridge, so return None",
            ),
            Misconception(
                lambda k, n, bytes_per_element, ridge: (
                    None
                    if 2 * k * n <= ridge * bytes_per_element * (k + n)
                    else max(1, math.floor(_exact_rows(k, n, bytes_per_element, ridge)))
                ),
                "you rounded down or to the nearest; with one row fewer the ridge is not reached yet, so round up",
            ),
            Misconception(
                lambda k, n, bytes_per_element, ridge: _ridge_rows(k, n, 1, ridge),
                "you counted elements, not bytes",
            ),
            Misconception(
                lambda k, n, bytes_per_element, ridge: _ridge_rows(k, n, 2 * bytes_per_element, ridge),
                "you counted one operation for each weight and row; there are two",
            ),
        ),
    ),
    hints=(
        "Write the intensity of section 2 with m as the unknown and ask when it is at least `ridge`. Then look at what happens when m is huge.",
        "2mkn >= ridge * e * (mk + kn + mn). Bring everything with m to one side: m times something >= ridge * e * k * n. That something can be zero or negative.",
        "gain = 2*k*n - ridge*e*(k+n); if gain <= 0: return None; otherwise round ridge*e*k*n / gain up, and return at least 1",
    ),
)
