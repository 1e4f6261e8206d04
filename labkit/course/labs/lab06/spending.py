"""A budget of bytes, spent layer by layer.

The oracle is the exact knapsack of `labkit.quantization`; losses are drawn so that one choice alone is the best.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Table = list[list[float]]
Sizes = list[list[int]]


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", losses=[[9.0, 1.0], [5.0, 0.5]], sizes=[[10, 20], [10, 20]], budget=30),
        Case("enough for everything", losses=[[3.0, 0.5], [2.0, 0.25]], sizes=[[1, 2], [3, 6]], budget=100),
        Case("only the smallest fit", losses=[[3.0, 0.5], [2.0, 0.25]], sizes=[[1, 2], [3, 6]], budget=4),
        Case("one layer", losses=[[4.0, 2.0, 1.0]], sizes=[[2, 3, 4]], budget=3),
        Case(
            "the best step blocks two good ones",
            losses=[[10.0, 0.0], [6.0, 0.5], [6.5, 0.75]],
            sizes=[[0, 6], [0, 5], [0, 5]],
            budget=10,
        ),
        Case(
            "more bits can be worse", losses=[[1.0, 2.5, 0.5], [3.0, 0.7, 0.6]], sizes=[[1, 2, 3], [1, 2, 3]], budget=4
        ),
    ]
    return [*fixed, *(_drawn(rng, layers) for layers in (3, 4, 4, 5, 5, 6, 36))]


def _drawn(rng: np.random.Generator, layers: int) -> Case:
    label = "as many layers as a model has" if layers > 30 else ""
    sizes = [[int(size) * bits for bits in (2, 4, 8)] for size in rng.choice([2, 3, 5, 7], layers)]
    losses = [
        [float(worst), float(worst * rng.uniform(0.05, 0.6)), float(worst * rng.uniform(0.0, 0.04))]
        for worst in 10 ** rng.uniform(-1, 1, layers)
    ]
    least, most = (sum(pick(layer) for layer in sizes) for pick in (min, max))
    return Case(label, losses=losses, sizes=sizes, budget=int(least + rng.uniform(0.25, 0.6) * (most - least)))


def _best(losses: Table, sizes: Sizes, budget: int) -> list[int]:
    from labkit.quantization import best_spending

    return list(best_spending(losses, sizes, budget).choices)


def _by_steps(losses: Table, sizes: Sizes, budget: int, per_byte: bool = True) -> list[int]:
    """From the smallest formats on, always the step that seems best now, as long as one fits."""
    choices = [layer.index(min(layer)) for layer in sizes]
    left = budget - sum(min(layer) for layer in sizes)
    while True:
        steps = []
        for n, now in enumerate(choices):
            for other in range(len(sizes[n])):
                more, gain = sizes[n][other] - sizes[n][now], losses[n][now] - losses[n][other]
                if 0 < more <= left and gain > 0:
                    steps.append((gain / more if per_byte else gain, n, other, more))
        if not steps:
            return choices
        _, n, other, more = max(steps)
        choices[n], left = other, left - more


def _equal(losses: Table, sizes: Sizes, budget: int) -> list[int]:
    for choice in reversed(range(min(map(len, sizes)))):
        if sum(layer[choice] for layer in sizes) <= budget:
            return [choice] * len(sizes)
    return [0] * len(sizes)


def _in_order(losses: Table, sizes: Sizes, budget: int) -> list[int]:
    """The first layers get the best that leaves enough for the smallest of the others."""
    choices, left = [], budget - sum(min(layer) for layer in sizes)
    for loss, layer in zip(losses, sizes, strict=True):
        fits = [n for n, size in enumerate(layer) if size - min(layer) <= left]
        choices.append(min(fits, key=lambda n: loss[n]))
        left -= layer[choices[-1]] - min(layer)
    return choices


def _free(losses: Table, sizes: Sizes, budget: int) -> list[int]:
    return [layer.index(min(layer)) for layer in losses]


def _beyond(case: Case, output: Any) -> bool:
    return sum(layer[n] for layer, n in zip(case["sizes"], output, strict=True)) > case["budget"]


def _worst(losses: Table, sizes: Sizes, budget: int) -> list[int]:
    return [layer.index(min(layer)) for layer in sizes]


SPEND = Exercise(
    name="spend",
    title="A budget of bytes",
    difficulty=5,
    importance=4,
    minutes=18,
    cases=_cases,
    judge=oracle_judge(
        _best,
        (
            Misconception(_free, "you gave every layer its best format; together they cost more than the budget"),
            Misconception(
                _worst, "you gave every layer its smallest format; bytes of the budget are left that buy quality"
            ),
            Misconception(_equal, "you gave all layers the same format; some need their bits more than others"),
            Misconception(
                _in_order,
                "you let the first layers take what they want; the later ones may make more of the same bytes",
            ),
            Misconception(
                _by_steps,
                "you always took the step that saves most for its bytes; that is close, but a good step can block two that are better together",
            ),
            Misconception(
                lambda losses, sizes, budget: _by_steps(losses, sizes, budget, per_byte=False),
                "you always took the step that saves most, whatever it costs; ask what it saves for its bytes, and then whether it blocks others",
            ),
            Misconception.seen(_beyond, "you spent more than the budget"),
        ),
    ),
    hints=(
        "Of all ways to have spent exactly 300 bytes on the first five layers, how many can be part of the answer?",
        "One: the one with the least loss. So keep a table from bytes spent to the best way so far, and build the next table from it, layer by layer.",
        "best = {0: (0.0, [])}; for each layer: for each entry and each choice that stays within the budget, keep the smaller loss under the new number of bytes; at the end the smallest loss of the table",
    ),
)
