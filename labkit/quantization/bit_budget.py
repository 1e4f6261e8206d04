"""Which layer gets how many bits, when all of them together may take so many bytes: the best choice, not a good one.

Each layer offers a few formats, each with its bytes and its loss; losses are taken to add up. That is a multiple-choice
knapsack. Layers have few different sizes, so sums of bytes repeat all the time, and of all choices with the same bytes
only the best can be part of the answer: dynamic programming over those sums finds it exactly in no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spending:
    """`choices[i]` is the format that layer i gets; `nbytes` and `loss` are the sums."""

    choices: tuple[int, ...]
    nbytes: int
    loss: float


def best_spending(losses: Sequence[Sequence[float]], nbytes: Sequence[Sequence[int]], budget: int) -> Spending:
    """The choice with the smallest loss within `budget` bytes, and of equal ones the smallest.

    `losses[i][j]` and `nbytes[i][j]` belong to format j of layer i. Raises `ValueError` if not even the smallest
    formats fit, for losses that are not numbers and for lists that do not match.

    >>> best_spending(losses=[[9.0, 1.0], [5.0, 0.5]], nbytes=[[10, 20], [10, 20]], budget=30)
    Spending(choices=(1, 0), nbytes=30, loss=6.0)
    """
    _check(losses, nbytes, budget)
    fronts = _fronts(losses, nbytes, budget)
    total, (loss, _) = min(fronts[-1].items(), key=lambda entry: (entry[1][0], entry[0]))
    return Spending(_trace(fronts, nbytes, total), total, loss)


Front = dict[int, tuple[float, int]]
"""By bytes spent so far: the smallest loss, and the last layer's choice that led there."""


def _fronts(losses: Sequence[Sequence[float]], nbytes: Sequence[Sequence[int]], budget: int) -> list[Front]:
    """The front after each layer, without sums that leave too little for the layers to come."""
    to_come = sum(min(sizes) for sizes in nbytes)
    fronts: list[Front] = [{0: (0.0, -1)}]
    for layer_losses, sizes in zip(losses, nbytes, strict=True):
        to_come -= min(sizes)
        front: Front = {}
        for spent, (loss, _) in fronts[-1].items():
            for choice, (more, size) in enumerate(zip(layer_losses, sizes, strict=True)):
                total, sum_of_losses = spent + size, loss + more
                if total + to_come <= budget and sum_of_losses < front.get(total, (float("inf"), -1))[0]:
                    front[total] = (sum_of_losses, choice)
        fronts.append(_undominated(front))
    return fronts


def _undominated(front: Front) -> Front:
    """Without sums that another one beats with no more bytes."""
    kept: Front = {}
    least = float("inf")
    for total in sorted(front):
        if front[total][0] < least:
            kept[total], least = front[total], front[total][0]
    return kept


def _trace(fronts: list[Front], nbytes: Sequence[Sequence[int]], total: int) -> tuple[int, ...]:
    """The choices that led to `total`, from the last layer back to the first."""
    choices = []
    for front, sizes in zip(reversed(fronts[1:]), reversed(nbytes), strict=True):
        choice = front[total][1]
        choices.append(choice)
        total -= sizes[choice]
    return tuple(reversed(choices))


def _check(losses: Sequence[Sequence[float]], nbytes: Sequence[Sequence[int]], budget: int) -> None:
    shapes = [[len(layer) for layer in table] for table in (losses, nbytes)]
    if shapes[0] != shapes[1] or 0 in shapes[0]:
        raise ValueError("Every layer needs as many losses as sizes, and at least one.")
    if any(not loss < float("inf") for layer in losses for loss in layer):
        raise ValueError("A loss is NaN or infinite, so there is no best choice.")
    least = sum(min(sizes) for sizes in nbytes)
    if least > budget:
        raise ValueError(f"The smallest formats already take {least} bytes, and the budget is {budget}.")
