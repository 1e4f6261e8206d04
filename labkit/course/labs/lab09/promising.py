"""Goodput: what was answered as well as promised.

The oracle is `labkit.throughput`'s own, on records with an arrival for every token; the notebook has four instants.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Timed = tuple[float, float, float, float, int]


def _cases(rng: np.random.Generator) -> list[Case]:
    example = [(0.0, 0.0, 0.5, 2.5, 5), (1.0, 1.75, 2.0, 3.0, 3), (2.0, 2.0, 2.25, 2.25, 1)]
    fixed = [
        Case("the example", requests=example, ttft=0.5, tpot=0.5, seconds=4.0),
        Case("just in time", requests=[(1.0, 1.0, 1.5, 3.5, 5)], ttft=0.5, tpot=0.5, seconds=2.0),
        Case("all too late", requests=[(0.0, 0.0, 2.0, 3.0, 5)], ttft=0.5, tpot=0.5, seconds=4.0),
        Case("answers of one token", requests=[(0.0, 0.0, 0.25, 0.25, 1)] * 3, ttft=0.5, tpot=0.125, seconds=2.0),
        Case("the client was late", requests=[(0.0, 0.75, 1.0, 1.5, 3)] * 4, ttft=0.5, tpot=0.5, seconds=4.0),
        Case("the last token decides", requests=[(0.0, 0.0, 0.25, 2.25, 4)] * 2, ttft=0.5, tpot=0.5625, seconds=2.0),
    ]
    return [*fixed, *(_drawn(rng, size) for size in (8, 12, 20, 30))]


def _drawn(rng: np.random.Generator, size: int) -> Case:
    """Of every kind: in time, late by one measure or the other, sent late by the client, of a single token."""
    arrivals = np.sort(rng.uniform(0, 10, size))
    kinds = np.resize(["fine", "late", "slow", "held", "single"], size)
    requests = []
    for at, kind in zip(arrivals.tolist(), kinds, strict=True):
        lag = float(rng.uniform(0.5, 0.9)) if kind == "held" else 0.0
        first = at + lag + float(rng.uniform(0.7, 1.2) if kind == "late" else rng.uniform(0.05, 0.4))
        tokens = 1 if kind == "single" else int(rng.integers(3, 9))
        each = float(rng.uniform(0.12, 0.2) if kind == "slow" else rng.uniform(0.02, 0.09))
        requests.append((at, at + lag, first, first + (tokens - 1) * each, tokens))
    return Case(requests=requests, ttft=0.5, tpot=0.1, seconds=float(rng.integers(8, 15)))


def _by_records(requests: list[Timed], ttft: float, tpot: float, seconds: float) -> float:
    from labkit.throughput.endpoint import Chunk
    from labkit.throughput.objective import Objective, goodput
    from labkit.throughput.record import Record

    records = []
    for arrival, sent, first, last, tokens in requests:
        record = Record(arrival, 1, tokens, sent=sent, outcome="completed")
        between = [first + (last - first) * n / (tokens - 1) for n in range(1, tokens - 1)]
        for number, at in enumerate([first, *between, *([last] if tokens > 1 else [])], 1):
            record.note(Chunk("token ", number), at)
        records.append(record)
    return goodput(records, Objective(ttft, tpot), seconds)


def _rate(met: Callable[[Timed, float, float], bool]) -> Callable[..., float]:
    return lambda requests, ttft, tpot, seconds: sum(met(r, ttft, tpot) for r in requests) / seconds


def _tpot(request: Timed) -> float:
    return (request[3] - request[2]) / max(request[4] - 1, 1)


def _mean(requests: list[Timed], ttft: float, tpot: float, seconds: float) -> float:
    first = float(np.mean([r[2] - r[0] for r in requests]))
    each = float(np.mean([_tpot(r) for r in requests]))
    return len(requests) / seconds if first <= ttft and each <= tpot else 0.0


GOODPUT = Exercise(
    name="goodput",
    title="As well as promised",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=_cases,
    judge=oracle_judge(
        _by_records,
        (
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[1] <= ttft and _tpot(r) <= tpot),
                "you counted from the sending; the user waits from the arrival on, and what the client held back is waiting too",
            ),
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[0] <= ttft and (r[3] - r[2]) / r[4] <= tpot),
                "you divided by all tokens; the first is there when the counting starts, so tokens - 1 are left",
            ),
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[0] <= ttft and r[4] > 1 and _tpot(r) <= tpot),
                "you left out answers of a single token; they have no time per token that could be too long",
            ),
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[0] <= ttft or _tpot(r) <= tpot),
                "you let one limit suffice; a request is good only if both hold",
            ),
            Misconception(
                lambda requests, ttft, tpot, seconds: (
                    _by_records(requests, ttft, tpot, seconds) * seconds / len(requests)
                ),
                "you returned a share of the requests; goodput is a rate, requests per second",
            ),
            Misconception(
                _mean,
                "you judged the means; a promise is kept or broken for each request",
            ),
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[0] < ttft and _tpot(r) < tpot),
                "you asked for less than the limit; exactly in time is in time",
            ),
            Misconception(
                _rate(lambda r, ttft, tpot: r[2] - r[0] <= ttft),
                "you looked at the first token alone; the others have a limit of their own",
            ),
        ),
    ),
    hints=(
        "Two questions for each request, and a single answer for the run. From which instant on does a user wait?",
        "first - arrival against ttft; (last - first) / (tokens - 1) against tpot, where there is more than one token. Count those that pass both, over seconds.",
        "good = 0; for arrival, sent, first, last, tokens: if first - arrival <= ttft and (tokens == 1 or (last - first) / (tokens - 1) <= tpot): good += 1; return good / seconds",
    ),
)
