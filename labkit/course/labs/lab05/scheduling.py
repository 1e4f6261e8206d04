"""The cubic schedule: fast while there is much to prune, slow towards the end (Zhu and Gupta, arXiv 1710.01878)."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _schedule_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        (10, 10, 10, 0.2),
        (15, 10, 10, 0.2),
        (20, 10, 10, 0.2),
        (3, 10, 10, 0.2),
        (99, 10, 10, 0.2),
        (1, 0, 4, 0.0),
    ]
    drawn = []
    for _ in range(10):
        begin, steps = int(rng.integers(0, 50)), int(rng.integers(4, 200))
        step = begin + int(rng.integers(1, steps))
        drawn.append((step, begin, steps, float(np.round(rng.uniform(0.05, 0.7), 3))))
    late = (int(rng.integers(301, 400)), 50, 200, 0.25)
    return [Case(step=t, begin=b, steps=n, final=f) for t, b, n, f in [*fixed, *drawn, late]]


def _schedule(step: int, begin: int, steps: int, final: float) -> float:
    """The paper's equation in sparsities, turned into a density at the end."""
    target = 1.0 - final
    if step <= begin:
        return 1.0
    if step >= begin + steps:
        return final
    share = (step - begin) / steps
    return 1.0 - (target - target * (1 - 3 * share + 3 * share**2 - share**3))


def _done(step: int, begin: int, steps: int) -> float:
    return min(max((step - begin) / steps, 0.0), 1.0)


CUBIC_DENSITY = Exercise(
    name="cubic_density",
    title="Fast first, then slowly",
    difficulty=2,
    importance=3,
    minutes=6,
    cases=_schedule_cases,
    judge=oracle_judge(
        _schedule,
        (
            Misconception(
                lambda step, begin, steps, final: final + (1 - final) * (1 - _done(step, begin, steps)),
                "your density falls along a straight line; what is left to do enters with its third power",
            ),
            Misconception(
                lambda step, begin, steps, final: final + (1 - final) * (1 - _done(step, begin, steps) ** 3),
                "you cubed what is done; that is slow first and fast at the end, so cube what is left",
            ),
            Misconception(
                lambda step, begin, steps, final: final + (1 - final) * (1 - _done(step, begin, steps)) ** 2,
                "you squared what is left; the schedule is cubic",
            ),
            Misconception(
                lambda step, begin, steps, final: 1 - _schedule(step, begin, steps, final),
                "you returned the sparsity; asked for is the density, the share that is kept",
            ),
            Misconception(
                lambda step, begin, steps, final: final + (1 - final) * (1 - (step - begin) / steps) ** 3,
                "you let the curve run on outside its steps; it is 1.0 before `begin` and stays at `final` after the last step",
            ),
            Misconception(
                lambda step, begin, steps, final: (1 - _done(step, begin, steps)) ** 3,
                "your density falls to zero; it ends at `final`",
            ),
            Misconception(
                lambda step, begin, steps, final: _schedule(step, 0, steps, final),
                "you counted the steps from 0; the schedule starts at `begin`",
            ),
            Misconception(
                lambda step, begin, steps, final: (
                    final + (1 - final) * (1 - min(max((step - begin) / max(steps - begin, 1), 0.0), 1.0)) ** 3
                ),
                "you took `steps` for the step at which it ends; it is how many steps it takes from `begin` on",
            ),
        ),
    ),
    hints=(
        "Which share of the schedule is still to come? It is 1 at `begin` and 0 at `begin + steps`.",
        "left = 1 - (step - begin) / steps, held between 0 and 1. The density goes from 1 to final with the third power of left.",
        "left = min(max(1 - (step - begin) / steps, 0), 1); return final + (1 - final) * left ** 3",
    ),
)
