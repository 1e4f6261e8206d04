"""What a batch costs that waits for its longest answer.

The oracle plays the service row by row and step by step; the notebook adds up maxima.
"""

from __future__ import annotations

import math

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Cost = tuple[int, int]


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", lengths=[3, 1, 2, 1], batch_size=2),
        Case("one at a time", lengths=[2, 5, 1], batch_size=1),
        Case("all at once", lengths=[4, 1, 2], batch_size=8),
        Case("equal answers", lengths=[3, 3, 3, 3, 3], batch_size=2),
    ]
    drawn = [
        Case(lengths=np.ceil(rng.lognormal(2, 0.8, size)).astype(int).tolist(), batch_size=int(batch))
        for size, batch in zip((7, 11, 13, 30, 50, 61), (2, 3, 4, 4, 8, 16), strict=True)
    ]
    return [*fixed, *drawn]


def _play(lengths: list[int], batch_size: int) -> Cost:
    """Step by step: who has tokens left, and who sits there without."""
    line, rows, steps, idle = list(lengths), [], 0, 0
    while line or any(rows):
        if not any(rows):
            rows, line = line[:batch_size], line[batch_size:]
        steps += 1
        idle += rows.count(0)
        rows = [max(left - 1, 0) for left in rows]
    return steps, idle


def _batches(lengths: list[int], size: int) -> list[list[int]]:
    return [lengths[n : n + size] for n in range(0, len(lengths), size)]


def _of(batches: list[list[int]], rows: int | None = None) -> Cost:
    steps = sum(map(max, batches))
    return steps, sum(max(b) * (rows or len(b)) - sum(b) for b in batches)


def _continuous(lengths: list[int], batch_size: int) -> Cost:
    seats = [0] * batch_size
    for length in lengths:
        seats[seats.index(min(seats))] += length
    return max(seats), batch_size * max(seats) - sum(lengths)


STATIC_BATCHES = Exercise(
    name="static_batches",
    title="What the longest answer costs",
    difficulty=2,
    importance=4,
    minutes=7,
    cases=_cases,
    judge=oracle_judge(
        _play,
        (
            Misconception(
                _continuous,
                "you let the next answer in as soon as a row was free; that is the cure, and here the disease is asked for",
            ),
            Misconception(
                lambda lengths, size: _of(_batches(lengths, size), rows=size),
                "you counted seats that nobody ever took; the last batch is as wide as the answers that were left",
            ),
            Misconception(
                lambda lengths, size: _of(_batches(sorted(lengths), size)),
                "you sorted the answers; they are taken in the order of arrival, and nobody knows their lengths before",
            ),
            Misconception(
                lambda lengths, size: (_play(lengths, size)[0], sum(max(b) * len(b) for b in _batches(lengths, size))),
                "you counted every row that was computed; asked for are those computed for nobody",
            ),
            Misconception(
                lambda lengths, size: (math.ceil(sum(lengths) / size), _play(lengths, size)[1]),
                "you divided all tokens by the batch size; that many steps would do if no row ever sat idle",
            ),
            Misconception(
                lambda lengths, size: (max(lengths), _play(lengths, size)[1]),
                "you took the longest answer of all; every batch has a longest of its own, one after another",
            ),
        ),
    ),
    hints=(
        "How long does one batch last, and how many rows does it compute in that time?",
        "Cut `lengths` into pieces of `batch_size`. A piece lasts max(piece) steps and computes max(piece) * len(piece) rows, of which sum(piece) are wanted.",
        "batches = [lengths[n:n + batch_size] for n in range(0, len(lengths), batch_size)]; steps = sum of max(b); idle = sum of max(b) * len(b) - sum(b)",
    ),
)
