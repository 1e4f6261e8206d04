"""Reading a scaling curve: a straight line where both axes are logarithmic, and what it says of the next size.

The oracle lets numpy fit the line; the notebook writes the least squares out.
"""

from __future__ import annotations

import math

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("an exact law", sizes=[1e5, 1e6, 1e7], losses=[8.0, 4.0, 2.0], size=1e8),
        Case("two points", sizes=[1e6, 1e8], losses=[5.0, 4.0], size=1e9),
        Case("flat", sizes=[1e3, 2e4, 5e5], losses=[3.0, 3.0, 3.0], size=1e7),
        Case("between", sizes=[1e6, 4e6, 9e6, 3e7], losses=[4.4, 3.9, 3.75, 3.3], size=2e7),
    ]
    return [*fixed, *(_drawn(rng) for _ in range(8))]


def _drawn(rng: np.random.Generator) -> Case:
    sizes = np.unique(np.round(10 ** rng.uniform(5, 10, int(rng.integers(4, 8)))))
    start, exponent = rng.uniform(5, 12), rng.uniform(0.03, 0.3)
    losses = start * (sizes / sizes[0]) ** -exponent * rng.uniform(0.95, 1.05, len(sizes))
    return Case(
        sizes=sizes.tolist(), losses=np.round(losses, 4).tolist(), size=float(sizes[-1] * 10 ** rng.uniform(0.3, 2))
    )


def _fit(x: list[float], y: list[float], at: float) -> float:
    slope, start = np.polyfit(x, y, 1)
    return float(start + slope * at)


def _logs(values: list[float]) -> list[float]:
    return [math.log(value) for value in values]


def _extrapolate(sizes: list[float], losses: list[float], size: float) -> float:
    return math.exp(_fit(_logs(sizes), _logs(losses), math.log(size)))


def _slope(sizes: list[float], losses: list[float]) -> float:
    return float(np.polyfit(_logs(sizes), _logs(losses), 1)[0])


EXTRAPOLATE = Exercise(
    name="extrapolate",
    title="The next size, before it is trained",
    difficulty=3,
    importance=5,
    minutes=12,
    cases=_cases,
    judge=oracle_judge(
        _extrapolate,
        (
            Misconception(
                lambda sizes, losses, size: _fit(sizes, losses, size),
                "you drew the line through losses and sizes as they are; a power law is straight only where both are logarithms",
            ),
            Misconception(
                lambda sizes, losses, size: _fit(_logs(sizes), losses, math.log(size)),
                "you took logarithms of the sizes alone; the losses need them too",
            ),
            Misconception(
                lambda sizes, losses, size: math.exp(_fit(sizes, _logs(losses), size)),
                "you took logarithms of the losses alone; the sizes need them too",
            ),
            Misconception(
                lambda sizes, losses, size: _extrapolate(sizes[-2:], losses[-2:], size),
                "you went on from the last two sizes; least squares listens to all of them",
            ),
            Misconception(
                lambda sizes, losses, size: _fit(_logs(sizes), _logs(losses), math.log(size)),
                "you returned the logarithm of the loss; undo it at the end",
            ),
            Misconception(
                lambda sizes, losses, size: math.exp(_fit(_logs(sizes), _logs(losses), math.log(size)) / math.log(10)),
                "you mixed two logarithms: what was taken to the base 10 has to be undone with a power of 10",
            ),
            Misconception(
                lambda sizes, losses, size: _slope(sizes, losses),
                "you returned the slope of the line; the loss at `size` is asked for",
            ),
            Misconception(
                lambda sizes, losses, size: losses[-1] * (size / sizes[-1]) ** _slope(sizes, losses),
                "you hung the fitted slope on the last point; the fitted line has a height of its own",
            ),
        ),
        precision="float32",
    ),
    hints=(
        "Take the logarithm of L = a * N ** -b. What kind of curve is log L against log N?",
        "A straight line. Least squares: slope = sum((x - mean x) * (y - mean y)) / sum((x - mean x) ** 2), and the line goes through the two means.",
        "x = logs of sizes; y = logs of losses; slope as in hint 2; return exp(mean(y) + slope * (log(size) - mean(x)))",
    ),
)
