"""The 2:4 format by hand: two values of four, and two bits for the place of each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _pack_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("two groups", weight=torch.tensor([[0.0, 5.0, 0.0, 7.0, 3.0, -2.0, 0.0, 0.0]])),
        Case("the larger comes first", weight=torch.tensor([[9.0, 0.0, 0.0, 1.0, 0.0, 4.0, 2.0, 0.0]])),
        Case("the smaller comes first", weight=torch.tensor([[1.0, 0.0, 9.0, 0.0, 0.0, 0.0, -2.0, 4.0]])),
    ]
    return [*fixed, *(_drawn_weight(rng) for _ in range(8))]


def _drawn_weight(rng: np.random.Generator) -> Case:
    rows, groups = int(rng.integers(1, 5)), 2 * int(rng.integers(1, 5))
    weight = np.zeros((rows, groups, 4))
    for row in weight:
        for group in row:
            group[rng.choice(4, 2, replace=False)] = rng.uniform(0.5, 2, 2) * rng.choice([-1, 1], 2)
    return Case(weight=torch.tensor(weight.reshape(rows, -1), dtype=torch.float32))


Group = list[tuple[int, float]]


def _groups_of(row: list[float]) -> list[Group]:
    """Place and value of what is not zero, group by group."""
    return [[(j, v) for j, v in enumerate(row[g : g + 4]) if v] for g in range(0, len(row), 4)]


def _written(weight: Tensor, bits: list[int], by_size: bool = False, count_from: int = 0) -> tuple[Tensor, Tensor]:
    """`bits` are the shifts of: first group's first place, its second place, second group's first, its second."""
    values, places = [], []
    for row in weight.tolist():
        groups = _groups_of(row)
        groups = [sorted(g, key=lambda pair: -abs(pair[1])) for g in groups] if by_size else groups
        values.append([v for group in groups for _, v in group])
        pairs = [groups[n] + groups[n + 1] for n in range(0, len(groups), 2)]
        places.append(
            [sum((p + count_from) << bit for (p, _), bit in zip(pair, bits, strict=True)) & 255 for pair in pairs]
        )
    return torch.tensor(values), torch.tensor(places, dtype=torch.uint8)


def _half_bytes(weight: Tensor) -> tuple[Tensor, Tensor]:
    values, _ = _written(weight, [0, 2, 4, 6])
    places = [[g[0][0] | g[1][0] << 2 for g in _groups_of(row)] for row in weight.tolist()]
    return values, torch.tensor(places, dtype=torch.uint8)


PACK_24 = Exercise(
    name="pack_24",
    title="Two values and four bits",
    difficulty=4,
    importance=4,
    minutes=15,
    cases=_pack_cases,
    judge=oracle_judge(
        lambda weight: _written(weight, [0, 2, 4, 6]),
        (
            Misconception(
                lambda weight: _written(weight, [4, 6, 0, 2]),
                "you put the first group into the upper half of the byte; it belongs into the lower",
            ),
            Misconception(
                lambda weight: _written(weight, [2, 0, 6, 4]),
                "within a group you put the second place into the lower two bits; the first belongs there",
            ),
            Misconception(
                lambda weight: _written(weight, [6, 4, 2, 0]),
                "you filled the byte from its upper end; the first place belongs into the lowest two bits",
            ),
            Misconception(
                lambda weight: _written(weight, [0, 2, 4, 6], by_size=True),
                "you ordered the two values by size; they stay in the order of their inputs",
            ),
            Misconception(
                lambda weight: _written(weight, [0, 2, 4, 6], count_from=1),
                "you counted places from 1; with two bits they run from 0 to 3",
            ),
            Misconception(
                _half_bytes,
                "you spent a byte on each group; its four bits fill half of one, so two groups share a byte",
            ),
            Misconception(
                lambda weight: _written(weight, [0, 2, 4, 6])[::-1],
                "the two results are swapped: values come first, then places",
            ),
        ),
    ),
    hints=(
        "First the values: in each group of four, which two are not zero, and at which places 0 to 3? Then the bits.",
        "A group's four bits are first | second << 2. Two neighbouring groups make a byte: the earlier one in the lower half.",
        "places = (weight.unflatten(1, (-1, 4)) != 0), the places of True in order; values = gather of them; half = p0 | p1 << 2; byte = half of even groups | half of odd groups << 4, as uint8",
    ),
)
