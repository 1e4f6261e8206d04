"""What rows that travel together share, and when sharing ends."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _decode_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(16e9, 0.0, 1, 1.6e12), (16e9, 1e9, 16, 1.6e12), (1e6, 1e6, 1, 1e9)]
    drawn = [
        (
            float(10 ** rng.uniform(6, 11)),
            float(10 ** rng.uniform(5, 10)),
            int(rng.choice([1, 2, 3, 8, 64, 256])),
            float(10 ** rng.uniform(10, 13)),
        )
        for _ in range(12)
    ]
    names = ("weight_bytes", "cache_bytes", "batch", "bandwidth")
    return [Case(**dict(zip(names, case, strict=True))) for case in [*fixed, *drawn]]


DECODE_CEILING = Exercise(
    name="decode_ceiling",
    title="The speed limit of a chatbot",
    difficulty=2,
    importance=5,
    minutes=6,
    cases=_decode_cases,
    judge=oracle_judge(
        lambda weight_bytes, cache_bytes, batch, bandwidth: bandwidth / (weight_bytes / batch + cache_bytes),
        (
            Misconception(
                lambda weight_bytes, cache_bytes, batch, bandwidth: bandwidth / (weight_bytes + batch * cache_bytes),
                "you gave the steps per second; each step makes one token for every conversation of the batch",
            ),
            Misconception(
                lambda weight_bytes, cache_bytes, batch, bandwidth: bandwidth / (weight_bytes + cache_bytes),
                "you read the weights again for every conversation; one reading serves the whole batch",
            ),
            Misconception(
                lambda weight_bytes, cache_bytes, batch, bandwidth: batch * bandwidth / (weight_bytes + cache_bytes),
                "you let the conversations share one cache; each has its own and reads it in every step",
            ),
            Misconception(
                lambda weight_bytes, cache_bytes, batch, bandwidth: batch * bandwidth / weight_bytes,
                "you left the caches out; at long contexts they outweigh the model",
            ),
            Misconception(
                lambda weight_bytes, cache_bytes, batch, bandwidth: (weight_bytes + batch * cache_bytes) / bandwidth,
                "you returned the seconds of a step; tokens per second are asked for",
            ),
        ),
    ),
    hints=(
        "How many bytes does one step read in all, and how many tokens does it make?",
        "Bytes of a step: the weights once, plus one cache for each conversation. Steps per second: bandwidth over those bytes.",
        "seconds = (weight_bytes + batch * cache_bytes) / bandwidth; return batch / seconds",
    ),
)


def _knee_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("flat, then rising", rows=[1, 2, 4, 8, 16], seconds=[1.0, 1.0, 1.1, 1.6, 3.0], slack=0.5),
        Case("never beyond", rows=[1, 2, 4], seconds=[1.0, 1.2, 1.4], slack=0.5),
        Case("at once beyond", rows=[1, 2, 4], seconds=[1.0, 2.0, 4.0], slack=0.5),
        Case("exactly on the line", rows=[1, 2, 4], seconds=[2.0, 3.0, 4.0], slack=0.5),
        Case("a dip behind the knee", rows=[1, 2, 4, 8], seconds=[1.0, 1.7, 1.3, 4.0], slack=0.5),
        Case("a slow creep", rows=[1, 2, 4, 8, 16], seconds=[1.0, 1.25, 1.45, 1.75, 2.1], slack=0.5),
        Case("faster in company", rows=[1, 2, 4], seconds=[1.0, 0.6, 1.3], slack=0.5),
        Case("twice the time is fine", rows=[1, 2, 4], seconds=[1.0, 1.8, 2.5], slack=1.0),
        Case("one row count", rows=[4], seconds=[1.0], slack=0.1),
        Case("not from one row", rows=[3, 5, 9], seconds=[2.0, 2.1, 9.0], slack=0.25),
    ]
    return [*fixed, *(_drawn_knee(rng) for _ in range(8))]


def _drawn_knee(rng: np.random.Generator) -> Case:
    rows = np.unique(rng.integers(1, 500, rng.integers(3, 10))).tolist()
    fixed_part, per_row = rng.uniform(0.5, 2.0), 10 ** rng.uniform(-3, -1)
    seconds = [float(np.round(max(fixed_part, per_row * m) * rng.uniform(1.0, 1.15), 4)) for m in rows]
    return Case(rows=rows, seconds=seconds, slack=float(rng.choice([0.2, 0.5, 1.0])))


def _knee(rows: list[int], seconds: list[float], slack: float) -> int:
    fine = [m for i, m in enumerate(rows) if max(seconds[: i + 1]) <= (1 + slack) * seconds[0]]
    return max(fine)


def _last_fine(rows: list[int], seconds: list[float], slack: float) -> int:
    return max(m for m, s in zip(rows, seconds, strict=True) if s <= (1 + slack) * seconds[0])


def _strict_knee(rows: list[int], seconds: list[float], slack: float) -> int:
    return max([m for i, m in enumerate(rows) if max(seconds[: i + 1]) < (1 + slack) * seconds[0]])


def _seconds_knee(rows: list[int], seconds: list[float], slack: float) -> int:
    return max(m for i, m in enumerate(rows) if max(seconds[: i + 1]) <= slack + seconds[0])


def _stepwise_knee(rows: list[int], seconds: list[float], slack: float) -> int:
    for i in range(1, len(rows)):
        if seconds[i] > (1 + slack) * seconds[i - 1]:
            return rows[i - 1]
    return rows[-1]


def _beyond_knee(rows: list[int], seconds: list[float], slack: float) -> int:
    return next((m for m, s in zip(rows, seconds, strict=True) if s > (1 + slack) * seconds[0]), rows[-1])


def _per_row_knee(rows: list[int], seconds: list[float], slack: float) -> int:
    price = [s / m for m, s in zip(rows, seconds, strict=True)]
    return max(m for m, p in zip(rows, price, strict=True) if p <= (1 + slack) * price[0])


KNEE = Exercise(
    name="knee",
    title="Where the free ride ends",
    difficulty=3,
    importance=4,
    minutes=8,
    cases=_knee_cases,
    judge=oracle_judge(
        _knee,
        (
            Misconception(
                _last_fine,
                "you took the last row count that happens to be fine; once it has been too slow, a later lucky one does not count",
            ),
            Misconception(
                _stepwise_knee,
                "you compared each time with the one before; a slow creep never shows that way, so compare with the first",
            ),
            Misconception(
                _beyond_knee,
                "you returned the first row count that is too slow; the one before it is the last that is still fine",
            ),
            Misconception(
                _per_row_knee,
                "you compared the time per row; the question is how long the whole pass takes",
            ),
            Misconception(
                lambda rows, seconds, slack: rows.index(_knee(rows, seconds, slack)),
                "you returned the position in the list; the row count that stands there is asked for",
            ),
            Misconception(
                _seconds_knee,
                "you added `slack` to the time; it is a share of the first time, not a number of seconds",
            ),
            Misconception(
                lambda rows, seconds, slack: _knee(rows, seconds, 0.5),
                "you wrote the slack of the example into the function; it is an argument",
            ),
            Misconception(
                _strict_knee,
                "exactly (1 + slack) times as long is still fine",
            ),
        ),
    ),
    hints=(
        "Go through the row counts from the smallest; remember the last one that was fine, and stop at the first that is not.",
        "Fine means: at most (1 + slack) times the time of the first entry.",
        "best = rows[0]; for m, s in zip(rows, seconds): if s > (1 + slack) * seconds[0], stop; otherwise best = m; return best",
    ),
)
