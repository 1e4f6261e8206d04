"""How much knowledge there is in answers: bits, after what guessing would get is taken off.

The oracle compares distributions (a divergence from guessing); the notebook subtracts what stays open.
"""

from __future__ import annotations

import math

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        (100, 2, 1.0),
        (1, 4, 1.0),
        (8, 4, 0.25),
        (10, 4, 0.1),
        (10, 2, 0.0),
        (50, 1, 1.0),
        (1000, 64, 0.5),
        (1000, 1024, 0.0),
        (30, 2, 0.75),
    ]
    drawn = [
        (int(rng.integers(1, 5000)), int(2 ** rng.uniform(2, 12)), float(np.round(rng.uniform(0.3, 0.99), 3)))
        for _ in range(9)
    ]
    return [Case(count=n, alternatives=m, accuracy=a) for n, m, a in [*fixed, *drawn]]


def _divergence(accuracy: float, alternatives: int) -> float:
    """KL in bits between answers of this accuracy, wrong ones spread evenly, and guessing."""
    wrong = (1 - accuracy) / (alternatives - 1) if alternatives > 1 else 0.0
    shares = [accuracy] + [wrong] * (alternatives - 1)
    return sum(p * math.log2(p * alternatives) for p in shares if p > 0)


def _stored(count: int, alternatives: int, accuracy: float) -> float:
    return count * _divergence(accuracy, alternatives) if accuracy * alternatives > 1 else 0.0


def _open(accuracy: float) -> float:
    """Entropy in bits of being right or wrong."""
    return -sum(p * math.log2(p) for p in (accuracy, 1 - accuracy) if p > 0)


def _above_chance(count: int, alternatives: int, accuracy: float, bits: float) -> float:
    return float(count * bits) if accuracy * alternatives > 1 else 0.0


STORED_BITS = Exercise(
    name="stored_bits",
    title="Knowledge in bits",
    difficulty=4,
    importance=3,
    minutes=12,
    cases=_cases,
    judge=oracle_judge(
        _stored,
        (
            Misconception(
                lambda count, alternatives, accuracy: count * accuracy * math.log2(alternatives),
                "you paid full bits for each right answer; guessing gets some of them, and which answers are right is not known either",
            ),
            Misconception(
                lambda count, alternatives, accuracy: count * math.log2(alternatives),
                "you left the accuracy out: that is what perfect knowledge would be",
            ),
            Misconception(
                lambda count, alternatives, accuracy: math.log(2) * _stored(count, alternatives, accuracy),
                "you took natural logarithms; bits need the base 2",
            ),
            Misconception(
                lambda count, alternatives, accuracy: count * _divergence(accuracy, alternatives),
                "you credited answers worse than guessing; at or below chance nothing is stored",
            ),
            Misconception(
                lambda count, alternatives, accuracy: _above_chance(
                    count, alternatives, accuracy, math.log2(alternatives) - _open(accuracy)
                ),
                "you left out what a wrong answer leaves open: which of the other alternatives it should have been",
            ),
            Misconception(
                lambda count, alternatives, accuracy: _above_chance(
                    count,
                    alternatives,
                    accuracy,
                    math.log2(alternatives) - (1 - accuracy) * math.log2(max(alternatives - 1, 1)),
                ),
                "you left out that nobody tells which answers are right: the entropy of right or wrong",
            ),
            Misconception(
                lambda count, alternatives, accuracy: _stored(1, alternatives, accuracy),
                "you gave the bits of one fact; there are `count`",
            ),
        ),
    ),
    hints=(
        "Begin with one fact. How open is it before the model answers, and how open is it afterwards, if the model is right with probability `accuracy`?",
        "Before: log2(alternatives). Afterwards: right or wrong is open, which is the entropy of `accuracy`; and if it is wrong, one of the other alternatives is, each as likely.",
        "left = entropy(accuracy) + (1 - accuracy) * log2(alternatives - 1); return count * (log2(alternatives) - left), but 0.0 if accuracy <= 1 / alternatives; beware of log2(0)",
    ),
)
