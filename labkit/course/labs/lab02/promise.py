"""What speculation promises, and the price at which it stops paying."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _promise_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(0.5, 2, 0.25), (1.0, 4, 0.1), (0.0, 3, 0.2), (0.8, 1, 0.05), (0.9, 8, 0.0)]
    drawn = [
        (
            float(np.round(rng.uniform(0.05, 0.98), 3)),
            int(rng.integers(2, 12)),
            float(np.round(rng.uniform(0.01, 1), 3)),
        )
        for _ in range(10)
    ]
    return [Case(acceptance=a, draft_length=k, draft_cost=c) for a, k, c in [*fixed, *drawn]]


def _tokens(a: float, k: int) -> float:
    return sum(a**n for n in range(k + 1))


SPEEDUP = Exercise(
    name="speedup",
    title="What a draft promises",
    difficulty=2,
    importance=5,
    minutes=7,
    cases=_promise_cases,
    judge=oracle_judge(
        lambda acceptance, draft_length, draft_cost: (
            _tokens(acceptance, draft_length) / (draft_length * draft_cost + 1)
        ),
        (
            Misconception(
                lambda a, k, c: _tokens(a, k - 1) / (k * c + 1),
                "the power is k + 1: a pass gives up to k guesses and one token of the model's own",
            ),
            Misconception(
                lambda a, k, c: _tokens(a, k) / (k * c),
                "you left out the pass of the model itself; it costs 1",
            ),
            Misconception(
                lambda a, k, c: _tokens(a, k) / (c + 1),
                "you paid for one guess; there are k of them in every pass",
            ),
            Misconception(
                lambda a, k, c: _tokens(a, k),
                "you gave the tokens of a pass; divide them by what the pass and its guesses cost",
            ),
            Misconception(
                lambda a, k, c: (1 + k * a) / (k * c + 1),
                "you let every guess count on its own; one behind a wrong guess is lost, however good it was",
            ),
            Misconception(
                lambda a, k, c: (1 - a ** (k + 1)) / (1 - a) / (k * c + 1),
                "at an acceptance of exactly 1 your formula divides zero by zero; there a pass gives k + 1 tokens",
            ),
            Misconception(
                lambda a, k, c: (k * c + 1) / _tokens(a, k),
                "the fraction is upside down: tokens over price, so that more is better",
            ),
        ),
    ),
    hints=(
        "How many tokens does a pass give on average, and how many passes of the model does it cost?",
        "Tokens: 1 + a + a^2 + ... + a^k. Price: k guesses of draft_cost each, and one pass.",
        "tokens = sum(acceptance**n for n in range(draft_length + 1)); return tokens / (draft_length * draft_cost + 1)",
    ),
)


def _price_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(0.5, 2), (1.0, 4), (0.0, 3), (0.8, 1)]
    drawn = [(float(np.round(rng.uniform(0.05, 0.98), 3)), int(rng.integers(2, 12))) for _ in range(10)]
    return [Case(acceptance=a, draft_length=k) for a, k in [*fixed, *drawn]]


BREAK_EVEN = Exercise(
    name="break_even",
    title="Where it stops paying",
    difficulty=3,
    importance=4,
    minutes=7,
    cases=_price_cases,
    judge=oracle_judge(
        lambda acceptance, draft_length: float(np.mean([acceptance**n for n in range(1, draft_length + 1)])),
        (
            Misconception(
                lambda a, k: _tokens(a, k) / k,
                "you forgot to take off the pass of the model: the speed-up is 1 where tokens equal k c + 1",
            ),
            Misconception(
                lambda a, k: _tokens(a, k) - 1,
                "that is the price of all guesses together; the price of one is asked for",
            ),
            Misconception(
                lambda a, k: a,
                "you gave the value of the first guess; later ones are worth less, because all before them must be right as well",
            ),
            Misconception(
                lambda a, k: _tokens(a, k - 1) / k,
                "your sum begins at a^0; the token that always comes is no gain, the guesses begin at a^1",
            ),
            Misconception(
                lambda a, k: (1 - a ** (k + 1)) / (1 - a) / k - 1 / k,
                "at an acceptance of exactly 1 your formula divides zero by zero; there every guess is worth a whole pass",
            ),
            Misconception(
                lambda a, k: 1 / _tokens(a, k),
                "that is the price of a token; set the speed-up to 1 and solve for the price of a guess",
            ),
        ),
    ),
    hints=(
        "Set your speed-up to 1 and look at what the price of a guess must be.",
        "tokens = k * c + 1, so c = (tokens - 1) / k.",
        "return (sum(acceptance**n for n in range(draft_length + 1)) - 1) / draft_length",
    ),
)
