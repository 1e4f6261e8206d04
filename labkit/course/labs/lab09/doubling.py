"""From which batch on doubling it hardly pays.

The oracle tries batches by bisection on the rates; the notebook solves for the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

MOST = 1 << 40


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", fixed=0.02, per_token=0.0015, least=0.5),
        Case("a token costs nothing", fixed=0.02, per_token=0.0, least=0.25),
        Case("nothing is shared", fixed=0.0, per_token=0.003, least=0.25),
        Case("at once", fixed=0.001, per_token=0.02, least=0.3),
    ]
    return [*fixed, *_drawn(rng)]


def _drawn(rng: np.random.Generator) -> list[Case]:
    """None of which is decided by a rounding error."""
    cases: list[Case] = []
    while len(cases) < 10:
        fixed, least = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.1, 0.6))
        per_token = fixed / float(rng.uniform(8, 300))
        exact = fixed * (1 - least) / (2 * per_token * least)
        if 3 < exact < 1e4 and 0.1 < exact % 1 < 0.9:
            cases.append(Case(fixed=fixed, per_token=per_token, least=least))
    return cases


def _rate(batch: int, fixed: float, per_token: float) -> float:
    return batch / (fixed + batch * per_token)


def _gain(batch: int, fixed: float, per_token: float) -> float:
    return _rate(2 * batch, fixed, per_token) / _rate(batch, fixed, per_token) - 1


def _first(small: Callable[[int], bool]) -> int | None:
    """The first batch for which a condition holds that holds for all larger ones; None where it never does."""
    low, high = 0, 1
    while not small(high):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if small(middle) else (middle, high)
    return high


def _search(fixed: float, per_token: float, least: float) -> int | None:
    if per_token == 0:
        return None
    return _first(lambda batch: _gain(batch, fixed, per_token) < least)


def _solved(fixed: float, per_token: float, least: float) -> float:
    return fixed * (1 - least) / (2 * per_token * least)


def _guarded(batch: Callable[[float, float, float], float | int | None]) -> Callable[..., float | int | None]:
    return lambda fixed, per_token, least: None if per_token == 0 else batch(fixed, per_token, least)


USEFUL_BATCH = Exercise(
    name="useful_batch",
    title="Where batching stops to pay",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _search,
        (
            Misconception(
                _guarded(lambda fixed, per_token, least: max(1, math.ceil(fixed / per_token))),
                "you found where the tokens cost as much as the fixed part; how much the next doubling brings depends on `least` too",
            ),
            Misconception(
                _guarded(lambda *given: max(1, math.floor(_solved(*given)))),
                "you stopped one too early; there the doubling still brings `least`",
            ),
            Misconception(
                _guarded(lambda f, t, least: _first(lambda n: _rate(n + 1, f, t) / _rate(n, f, t) - 1 < least)),
                "you asked what one more request brings; the question is what twice as many bring",
            ),
            Misconception(
                _guarded(lambda f, t, least: _first(lambda n: (f + 2 * n * t) / (f + n * t) - 1 > least)),
                "you asked how much longer the step takes; that is what each reader pays, and here the gain in tokens per second is asked for",
            ),
            Misconception(
                _guarded(_solved),
                "you returned a fraction; requests come whole, so return the first whole number beyond it",
            ),
            Misconception(
                lambda f, t, least: math.floor(_solved(f, t, least)) + 1,
                "you divided by a price of 0; where a token costs nothing every doubling doubles the rate, so return None",
            ),
            Misconception(
                _guarded(lambda f, t, least: _first(lambda n: _rate(2 * n, f, t) / _rate(n, f, t) < 2 * (1 - least))),
                "you measured the gain against a perfect doubling; a gain of `least` means (1 + least) times the rate",
            ),
        ),
    ),
    hints=(
        "Write the rate at batch n and at batch 2n as formulas, and divide. What cancels?",
        "rate(2n) / rate(n) - 1 = fixed / (fixed + 2 n per_token). It falls as n grows; find where it falls below `least`.",
        "if per_token == 0: return None; n must be above fixed * (1 - least) / (2 * per_token * least); take the floor and add 1",
    ),
)
