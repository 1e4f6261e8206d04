"""Which experts are still near when they are asked for again."""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cache_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("used again in time", requests=[0, 1, 0, 2, 0, 1], held=2),
        Case("a round is too long", requests=[0, 1, 2, 0, 1, 2, 0, 1, 2], held=2),
        Case("always the same", requests=[3, 3, 3, 3], held=1),
        Case("room for all", requests=[0, 1, 2, 0, 1, 2], held=3),
        Case("nothing twice", requests=[4, 2, 0], held=2),
        Case("first in is still wanted", requests=[0, 1, 0, 2, 0, 3, 0, 1], held=2),
    ]
    return [*fixed, *(_drawn_requests(rng) for _ in range(9))]


def _drawn_requests(rng: np.random.Generator) -> Case:
    experts = int(rng.integers(4, 9))
    shares = rng.dirichlet([1.0] * experts)
    requests = rng.choice(experts, size=int(rng.integers(40, 80)), p=shares).tolist()
    return Case(requests=requests, held=int(rng.integers(2, experts - 1)))


def _hits(requests: list[int], held: int) -> int:
    """Python's own LRU cache."""
    near = lru_cache(maxsize=held)(lambda expert: expert)
    for expert in requests:
        near(expert)
    return near.cache_info().hits


def _first_out(requests: list[int], held: int) -> int:
    near: deque[int] = deque(maxlen=held)
    hits = 0
    for expert in requests:
        if expert in near:
            hits += 1
        else:
            near.append(expert)
    return hits


def _first_stay(requests: list[int], held: int) -> int:
    near: list[int] = []
    hits = 0
    for expert in requests:
        if expert in near:
            hits += 1
        elif len(near) < held:
            near.append(expert)
    return hits


def _newest_out(requests: list[int], held: int) -> int:
    near: list[int] = []
    hits = 0
    for expert in requests:
        if expert in near:
            hits += 1
            near.remove(expert)
        elif len(near) == held:
            near.pop()
        near.append(expert)
    return hits


HITS = Exercise(
    name="hits",
    title="A cache of experts",
    difficulty=3,
    importance=4,
    minutes=10,
    cases=_cache_cases,
    judge=oracle_judge(
        _hits,
        (
            Misconception(
                _first_out,
                "you threw out the expert that came first; one that was just used again has become the newest",
            ),
            Misconception(
                _first_stay,
                "you never threw anybody out; the expert not used for longest makes room for the new one",
            ),
            Misconception(
                _newest_out,
                "you threw out the expert used last; it is the one not used for longest that goes",
            ),
            Misconception(
                lambda requests, held: len(requests) - len(set(requests)),
                "you let every expert stay for ever; only `held` of them have room",
            ),
            Misconception(
                lambda requests, held: len(requests) - _hits(requests, held),
                "you counted the requests that had to be fetched",
            ),
            Misconception(
                lambda requests, held: _hits(requests, held) / len(requests),
                "you gave the share; the number of hits is asked for",
            ),
        ),
    ),
    hints=(
        "Keep a list of the experts that are near, ordered by when they were used last. What changes at a hit, what at a miss?",
        "Hit: take it out of its place. Miss: if the list is full, drop its first entry. In both cases append the expert at the end.",
        "near = []; hits = 0; for e in requests: if e in near: hits += 1; near.remove(e); elif len(near) == held: near.pop(0); then near.append(e); return hits",
    ),
)
