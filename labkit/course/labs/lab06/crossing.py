"""From how many rows on a cheaper product is worth more than fewer bytes.

The oracle tries row counts by bisection; the notebook solves for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

_NAMES = ("weight_only_bytes", "int8_bytes", "row_flops", "bandwidth", "weight_only_rate", "int8_rate")


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        ("the example", (0.5e9, 1e9, 2e9, 1e10, 1e11, 4e11)),
        ("its products are no cheaper", (0.5e9, 1e9, 2e9, 1e10, 1e11, 1e11)),
        ("its products are even dearer", (0.5e9, 1e9, 2e9, 1e10, 4e11, 1e11)),
        ("at once", (0.5e6, 1e6, 2e6, 1e12, 1e10, 1e11)),
        ("a row takes longer than all bytes", (0.5e6, 0.6e6, 2e8, 1e11, 1e10, 3e10)),
    ]
    return [*(Case(label, **dict(zip(_NAMES, case, strict=True))) for label, case in fixed), *_drawn(rng)]


def _drawn(rng: np.random.Generator) -> list[Case]:
    """None of which is decided by a rounding error."""
    cases: list[Case] = []
    while len(cases) < 10:
        flops, bandwidth = float(10 ** rng.uniform(6, 10)), float(10 ** rng.uniform(9, 12))
        rate = float(10 ** rng.uniform(10, 14))
        small = flops / 2 * float(rng.choice([0.5, 0.5625, 0.75]))
        case = (small, flops / 2, flops, bandwidth, rate, rate * float(rng.uniform(1.2, 6)))
        exact = case[1] * rate / (bandwidth * flops)
        if 1.3 < exact < 1e4 and 0.05 < exact % 1 < 0.95:
            cases.append(Case(**dict(zip(_NAMES, case, strict=True))))
    return cases


def _search(w: float, b: float, flops: float, bandwidth: float, rate: float, int8_rate: float) -> int | None:
    def int8_is_no_slower(rows: int) -> bool:
        return max(b / bandwidth, rows * flops / int8_rate) <= max(w / bandwidth, rows * flops / rate)

    if int8_rate <= rate:
        return None
    low, high = 0, 1
    while not int8_is_no_slower(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if int8_is_no_slower(middle) else (middle, high)
    return high


def _meeting(w: float, b: float, flops: float, bandwidth: float, rate: float, int8_rate: float) -> float:
    return b * rate / (bandwidth * flops)


def _with(rows: Callable[..., float]) -> Callable[..., int | None]:
    """Guarded and rounded up, with another number of rows."""
    return lambda *given: None if given[5] <= given[4] else max(1, math.ceil(rows(*given)))


CROSSOVER = Exercise(
    name="crossover",
    title="Fewer bytes or cheaper products?",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _search,
        (
            Misconception(
                _with(lambda w, b, flops, bandwidth, rate, int8_rate: w * rate / (bandwidth * flops)),
                "you found where weight-only stops waiting for its bytes; it is still ahead there, until its products take as long as the *other* one's bytes",
            ),
            Misconception(
                _with(lambda w, b, flops, bandwidth, rate, int8_rate: b * int8_rate / (bandwidth * flops)),
                "you found where W8A8 stops waiting for its bytes; it has been ahead for a while then",
            ),
            Misconception(
                lambda *given: max(1, math.ceil(_meeting(*given))),
                "you did not ask whether its products are cheaper at all; where they are not, return None",
            ),
            Misconception(
                lambda *given: None if given[5] <= given[4] else max(1, math.floor(_meeting(*given))),
                "you rounded down; with those rows weight-only is still ahead",
            ),
            Misconception(
                lambda *given: None if given[5] <= given[4] else _meeting(*given),
                "you returned a fraction; rows come whole, so round up, and one row is the least",
            ),
            Misconception(
                _with(
                    lambda w, b, flops, bandwidth, rate, int8_rate: (
                        (b - w) / bandwidth / (flops / rate - flops / int8_rate)
                    )
                ),
                "you added fetching and calculating; they overlap, so the slower of the two counts",
            ),
        ),
    ),
    hints=(
        "Draw both times against the rows. Each is flat first (bytes) and then rises (products). Which flat part meets which slope?",
        "Weight-only starts lower and rises more steeply. It is overtaken where its slope reaches the flat part of W8A8.",
        "if int8_rate <= weight_only_rate: return None; rows = int8_bytes / bandwidth over row_flops / weight_only_rate; round up, at least 1",
    ),
)
