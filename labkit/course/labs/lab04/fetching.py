"""How many experts a handful of tokens wakes."""

from __future__ import annotations

from math import comb

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _hit_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(8, 2, 1), (8, 2, 2), (64, 8, 16), (4, 4, 3), (8, 1, 5), (128, 8, 1), (16, 2, 500)]
    drawn = []
    for _ in range(8):
        experts = int(rng.integers(4, 80))
        drawn.append((experts, int(rng.integers(2, experts // 2 + 1)), int(rng.integers(2, 40))))
    return [Case(experts=e, chosen=k, tokens=t) for e, k, t in [*fixed, *drawn]]


def _hit(experts: int, chosen: int, tokens: int) -> float:
    """One token after another: each wakes, of the experts still asleep, a share of chosen / experts."""
    awake = 0.0
    for _ in range(tokens):
        awake += (experts - awake) * comb(experts - 1, chosen - 1) / comb(experts, chosen)
    return float(awake)


EXPERTS_HIT = Exercise(
    name="experts_hit",
    title="Who is woken?",
    difficulty=3,
    importance=5,
    minutes=8,
    cases=_hit_cases,
    judge=oracle_judge(
        _hit,
        (
            Misconception(
                lambda experts, chosen, tokens: float(min(experts, chosen * tokens)),
                "you let no two tokens want the same expert; they choose independently",
            ),
            Misconception(
                lambda experts, chosen, tokens: experts * (1 - chosen / experts) ** tokens,
                "you counted the experts that nobody wants",
            ),
            Misconception(
                lambda experts, chosen, tokens: 1 - (1 - chosen / experts) ** tokens,
                "you gave the probability for one expert; there are `experts` of them",
            ),
            Misconception(
                lambda experts, chosen, tokens: experts * (1 - (1 - 1 / experts) ** (chosen * tokens)),
                "you let a token choose the same expert twice; its `chosen` experts are different ones",
            ),
            Misconception(
                lambda experts, chosen, tokens: experts * (1 - (1 - 1 / experts) ** tokens),
                "you let each token go to one expert; it goes to `chosen`",
            ),
        ),
    ),
    hints=(
        "Take a single expert. With which probability does one token pass it by? And all of them?",
        "One token passes it by with probability 1 - chosen / experts; `tokens` of them with that to the power of `tokens`.",
        "return experts * (1 - (1 - chosen / experts) ** tokens)",
    ),
)
