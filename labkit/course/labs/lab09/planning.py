"""Which tokens go into the next step: one budget, shared in order of age.

The oracle deals the budget out token by token; the notebook takes minima.
"""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Left = list[tuple[int, int]]


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", left=[(7, 1), (8, 100), (9, 40)], budget=64, chunk=32),
        Case("everybody writes", left=[(4, 1), (2, 1), (9, 1)], budget=16, chunk=8),
        Case("nobody is inside", left=[], budget=16, chunk=8),
        Case("the budget ends on the border", left=[(1, 8), (2, 8), (3, 8)], budget=16, chunk=8),
        Case("a long prompt, alone", left=[(3, 500)], budget=64, chunk=256),
    ]
    return [*fixed, *(_drawn(rng, size) for size in (4, 5, 6, 8, 10, 12))]


def _drawn(rng: np.random.Generator, size: int) -> Case:
    """The oldest is reading, longer than a chunk, and the budget ends within somebody's prompt, not with the last."""
    chunk = int(rng.choice([8, 16, 32]))
    reads = rng.random(size) < 0.6
    reads[[0, -2, -1]] = True
    left = np.where(reads, rng.integers(chunk // 2 + 2, 3 * chunk, size), 1)
    left[0] = 2 * chunk + 3
    budget = int(np.minimum(left, chunk)[:-2].sum() + rng.integers(1, chunk // 2 + 1))
    numbers = rng.permutation(50)[:size].tolist()
    return Case(left=list(zip(numbers, left.tolist(), strict=True)), budget=budget, chunk=chunk)


def _deal(left: Left, budget: int, chunk: int) -> Left:
    """Token by token, to the oldest that may still have one."""
    dealt = [0] * len(left)
    for _ in range(budget):
        open_ = (n for n, (_, wanted) in enumerate(left) if dealt[n] < min(wanted, chunk))
        place = next(open_, None)
        if place is None:
            break
        dealt[place] += 1
    return [(request, count) for (request, _), count in zip(left, dealt, strict=True) if count]


def _shared(left: Left, budget: int, chunk: int, zeros: bool = False) -> Left:
    plan = []
    for request, wanted in left:
        tokens = min(wanted, chunk, budget)
        budget -= tokens
        plan += [(request, tokens)] if tokens or zeros else []
    return plan


def _whole(left: Left, budget: int, chunk: int) -> Left:
    plan = []
    for request, wanted in left:
        if wanted <= min(budget, chunk):
            plan.append((request, wanted))
            budget -= wanted
    return plan


def _equal(left: Left, budget: int, chunk: int) -> Left:
    share = budget // max(len(left), 1)
    return [(request, min(wanted, chunk, share)) for request, wanted in left if min(wanted, chunk, share)]


PLAN_STEP = Exercise(
    name="plan_step",
    title="One step for all",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _deal,
        (
            Misconception(
                lambda left, budget, chunk: [(request, min(wanted, chunk, budget)) for request, wanted in left],
                "you gave the whole budget to each; it is one budget for the step, and what one takes the next has not",
            ),
            Misconception(
                lambda left, budget, chunk: _shared(left, budget, budget),
                "you let a prompt take all that is left of the budget; more than a chunk a step makes all others wait",
            ),
            Misconception(
                _whole,
                "you passed over who does not fit as a whole; a prompt is read in pieces, as many tokens as there is room for",
            ),
            Misconception(
                lambda left, budget, chunk: _shared(left, budget, chunk, zeros=True),
                "you planned 0 tokens for somebody; who gets none is not part of the step",
            ),
            Misconception(
                lambda left, budget, chunk: _shared(sorted(left, key=lambda each: each[1]), budget, chunk),
                "you put the short ones first; the order is that of age, or a long prompt would never be read",
            ),
            Misconception(
                _equal,
                "you shared the budget equally; who writes needs 1 token only, and the rest of the share is wasted",
            ),
            Misconception(
                lambda left, budget, chunk: _shared(left, min(budget, chunk), chunk),
                "you bounded the whole step by a chunk; the chunk bounds one sequence, the budget the step",
            ),
        ),
    ),
    hints=(
        "Three things bound what a sequence gets. Which of them changes from one sequence to the next?",
        "min(what it wants, the chunk, what is left of the budget); then the budget is smaller by that much. Nobody gets 0.",
        "for request, wanted in left: tokens = min(wanted, chunk, budget); if tokens: append (request, tokens) and budget -= tokens",
    ),
)
