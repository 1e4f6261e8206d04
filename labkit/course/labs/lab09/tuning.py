"""Settings that keep the most promises: judged by the share of the best goodput that a search finds.

The judge serves the same trace with the settings it is given, and with all of a grid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise, Raised, Verdict
from labkit.course.wire import decode, encode

SEATS, BUDGETS = (2, 8, 32), (16, 64, 256)
SHARE = 0.95
COUNT = 30
Settings = tuple[int, int]


def _cases(rng: np.random.Generator) -> list[Case]:
    """Under each promise another end of the grid is best, so that no settings are right everywhere."""
    kinds = (
        ("the example: no long pauses", 4.0, 0.5, (0.02, 1e-3), (6.0, 0.045)),
        ("the first token must come soon", 4.0, 0.5, (0.02, 5e-4), (0.6, 0.5)),
        ("a token is dear", 6.0, 0.0, (0.005, 4e-3), (10.0, 0.03)),
        ("a step is dear, a token is cheap", 8.0, 0.3, (0.05, 5e-5), (0.8, 0.5)),
    )
    return [
        Case(label, trace=_trace(rng, rate, long), price=price, objective=objective)
        for label, rate, long, price, objective in kinds
    ]


def _trace(rng: np.random.Generator, rate: float, long: float) -> list[tuple[float, int, int]]:
    """Thirty requests: chats, and among them a share of long documents with short answers."""
    ats = np.cumsum(rng.exponential(1 / rate, COUNT)).round(3)
    documents = np.arange(COUNT) % 10 < 10 * long
    rng.shuffle(documents)
    prompts = np.where(documents, rng.integers(200, 420, COUNT), rng.integers(8, 32, COUNT))
    answers = np.where(documents, rng.integers(4, 24, COUNT), rng.integers(16, 64, COUNT))
    return list(zip(ats.tolist(), prompts.tolist(), answers.tolist(), strict=True))


@lru_cache(maxsize=4096)
def _served(case: str, seats: int, budget: int) -> dict[str, float]:
    """Goodput and throughput of the case, as text, under these settings."""
    from labkit.serving import BlockPool, Scheduler
    from labkit.throughput.objective import Objective, goodput
    from labkit.throughput.rehearsal import Price, rehearse
    from labkit.throughput.request import Request

    trace, price, objective = decode(case)
    requests = [Request(at, "", read, written) for at, read, written in trace]
    run = rehearse(Scheduler(BlockPool(4096, 16), seats, budget), requests, Price(*price)).run
    good = goodput(run.records, Objective(*objective), run.seconds)
    return {"goodput": good, "throughput": len(run.records) / run.seconds}


def _grid(case: str) -> dict[Settings, dict[str, float]]:
    return {(seats, budget): _served(case, seats, budget) for seats in SEATS for budget in BUDGETS}


def _best_by(name: str) -> Callable[[str], Settings]:
    return lambda case: max(_grid(case).items(), key=lambda item: item[1][name])[0]


def _always(place: int) -> Callable[[str], Settings]:
    return lambda case: (SEATS[place], BUDGETS[place])


MISTAKES: tuple[tuple[Callable[[str], Settings], str], ...] = (
    (_always(-1), "you always took the largest settings; somebody pays for a long step, and it is whoever writes"),
    (_always(0), "you always took the smallest settings; pauses are short then, and the line grows"),
    (_always(1), "you took the middle of the grid; what is best depends on the promise and on the price"),
    (
        _best_by("throughput"),
        "you looked for the most requests a second, in time or not; an answer that comes too late counts nothing here",
    ),
)
SWAPPED = "you returned the pair the other way round; seats come first, then the budget"


@dataclasses.dataclass(frozen=True)
class FractionOfBest:
    """Right is whatever reaches `SHARE` of the best goodput of the grid."""

    def __call__(self, case: Case, output: Any) -> Verdict:
        text = encode(tuple(case.arguments.values()))
        best, reached = max(_grid(text).items(), key=lambda item: item[1]["goodput"])
        if isinstance(output, Raised):
            return Verdict(str(output), best)
        settings = tuple(output) if type(output) in (tuple, list) else ()
        if len(settings) != 2 or any(type(n) is not int or not 1 <= n <= 4096 for n in settings):
            return Verdict("It returned no pair of whole numbers (seats, budget), each from 1 to 4096.", best)
        suspects = tuple(says for wrong, says in MISTAKES if wrong(text) == settings)

        def share(pair: Settings) -> float:
            return _served(text, *pair)["goodput"] / max(reached["goodput"], 1e-9)

        if share(settings) >= SHARE:
            return Verdict("", best, suspects)
        suspects += (SWAPPED,) if share(settings[::-1]) >= SHARE else ()
        return Verdict(f"With these settings goodput is {share(settings):.0%} of the best found.", best, suspects)


CHOOSE_SETTINGS = Exercise(
    name="choose_settings",
    title="The most promises kept",
    difficulty=3,
    importance=5,
    minutes=12,
    seconds=8.0,
    cases=_cases,
    judge=FractionOfBest(),
    hints=(
        "There are few settings, and a rehearsal takes a moment. What would you compare, and by which number?",
        "Rehearse every pair of SEATS and BUDGETS on this trace, at this price, and keep the one with the highest goodput under this objective.",
        "return max(product(SEATS, BUDGETS), key=lambda pair: goodput_under(trace, price, objective, *pair))",
    ),
)
