"""`sweep()`: one comparison at each value of an axis, and the crossover: where the candidate starts or stops to win."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from labkit.measure.agreement import OutputsDiffer
from labkit.measure.comparison import compare
from labkit.measure.comparison_report import Comparison
from labkit.measure.progress import progress
from labkit.measure.sweep_report import Crossover, Sweep


def sweep(
    axis: str,
    values: Sequence[float],
    pair: Callable[[Any], tuple],
    *,
    rotate: Callable[[Any, int], tuple] | None = None,
    **options: Any,
) -> Sweep:
    """Compare at each of `values`, which rise along `axis` ("batch (rows)": a name with its unit in brackets).

    `pair(value)` returns (baseline, candidate) or (baseline, candidate, operands...); `rotate(value, i)` makes operand
    set i at that value; every other option is one of `compare`. Raises `ValueError` for fewer than two values or
    values that do not rise, `OutputsDiffer` naming the value at which the outputs differ.
    """
    if len(values) < 2 or any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"A sweep needs at least two values that rise; got {list(values)!r}.")
    if not axis.rstrip().endswith(")"):
        raise ValueError(f"The axis needs its unit in brackets, for instance 'batch (rows)'; got {axis!r}.")
    comparisons = []
    for value in progress(values, f"sweep over {axis}"):
        if rotate is not None:
            options["rotate"] = partial(rotate, value)
        try:
            comparisons.append(compare(*pair(value), **options))
        except OutputsDiffer as error:
            raise OutputsDiffer(f"At {axis} = {value}: {error}") from None
    return Sweep(axis, tuple(values), tuple(comparisons), find_crossovers(values, comparisons))


def find_crossovers(values: Sequence[float], comparisons: Sequence[Comparison]) -> tuple[Crossover, ...]:
    """Every place where the winner changes, from rising values and their comparisons.

    Only values whose interval excludes 1 decide. Two neighbours among them with different winners bracket a crossover;
    undecided values in between lie in the bracket. Its estimate is where the line through the ratios, both axes
    logarithmic, first passes 1.
    """
    decided = [i for i, c in enumerate(comparisons) if c.winner is not None]
    found = []
    for i, j in pairwise(decided):
        before, after = comparisons[i].ratio > 1, comparisons[j].ratio > 1
        if before != after:
            k = next(k for k in range(i + 1, j + 1) if (comparisons[k].ratio > 1) == after)
            estimate = _passes_one(values[k - 1], values[k], comparisons[k - 1].ratio, comparisons[k].ratio)
            found.append(Crossover(estimate, values[i], values[j], candidate_wins="above" if after else "below"))
    return tuple(found)


def _passes_one(x0: float, x1: float, r0: float, r1: float) -> float:
    """Where log(ratio) is zero on the line from x0 to x1; in log(x) where x is positive.

    >>> round(_passes_one(1, 16, 0.5, 2.0), 9)
    4.0
    """
    share = -math.log(r0) / (math.log(r1) - math.log(r0))
    if x0 > 0:
        return math.exp(math.log(x0) + share * (math.log(x1) - math.log(x0)))
    return x0 + share * (x1 - x0)
