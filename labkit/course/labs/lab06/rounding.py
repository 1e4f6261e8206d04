"""Round to nearest with a scale for each group.

The oracle walks from group to group in plain numbers; the notebook does all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    import torch

    def case(label: str, rows: Any, bits: int, size: int) -> Case:
        return Case(label, weight=torch.tensor(rows, dtype=torch.float64), bits=bits, group_size=size)

    fixed = [
        case("the example", [[-3.0, 0.4, 1.6]], 3, 3),
        case("two groups of different size", [[0.3, -0.2, 30.0, 11.0]], 4, 2),
        case("a group of zeros", [[0.0, 0.0, 1.0, -0.7]], 4, 2),
        case("the largest is negative", [[-7.0, 3.1], [1.2, -0.9]], 4, 2),
        case("a group of one", [[0.6], [-0.2], [5.1]], 4, 1),
    ]
    shapes = [(2, 8, 3, 4), (3, 6, 4, 2), (4, 16, 8, 8), (1, 24, 2, 12), (5, 10, 4, 5)]
    drawn = [case("", rng.standard_normal((out, inner)), bits, size) for out, inner, bits, size in shapes]
    return [*fixed, *drawn]


def _group_by_group(
    weight: Any,
    bits: int,
    group_size: int,
    largest: Callable[[list[float]], float] = lambda group: max(map(abs, group)),
    top: Callable[[int], int] = lambda bits: 2 ** (bits - 1) - 1,
    rounding: Callable[[float], float] = round,
) -> tuple[Any, Any]:
    """Codes and scales; the arguments behind `group_size` are what can go wrong."""
    import torch

    codes, scales = [], []
    for row in weight.tolist():
        groups = [row[start : start + group_size] for start in range(0, len(row), group_size)]
        scales.append([largest(group) / top(bits) for group in groups])
        units = [w / (s or 1.0) for group, s in zip(groups, scales[-1], strict=True) for w in group]
        codes.append([min(max(int(rounding(u)) + 2 ** (bits - 1), 0), 2**bits - 1) for u in units])
    return torch.tensor(codes, dtype=torch.uint8), torch.tensor(scales, dtype=weight.dtype)


def _per_row(weight: Any, bits: int, group_size: int) -> tuple[Any, Any]:
    codes, scales = _group_by_group(weight, bits, weight.shape[1])
    return codes, scales.repeat(1, weight.shape[1] // group_size)


def _per_tensor(weight: Any, bits: int, group_size: int) -> tuple[Any, Any]:
    codes, scales = _group_by_group(weight.reshape(1, -1), bits, weight.numel())
    return codes.view(weight.shape), scales.expand(len(weight), weight.shape[1] // group_size).clone()


def _without_middle(weight: Any, bits: int, group_size: int) -> tuple[Any, Any]:
    """Negative codes in a byte come out from above."""
    codes, scales = _group_by_group(weight, bits, group_size)
    return codes - 2 ** (bits - 1), scales


def _zeros_divided(case: Case, output: Any) -> bool:
    """Only a group of zeros is wrong."""
    codes, scales = _group_by_group(*case.arguments.values())
    empty = (scales == 0).repeat_interleave(case["group_size"], dim=1)
    return (
        bool(empty.any()) and bool((output[0] == codes)[~empty].all()) and not bool((output[0] == codes)[empty].all())
    )


ROUND_GROUPS = Exercise(
    name="round_groups",
    title="Round to nearest, group by group",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _group_by_group,
        (
            Misconception(
                _per_row,
                "you gave a whole row one scale; each group of `group_size` neighbours has its own",
            ),
            Misconception(
                _per_tensor,
                "you gave the whole matrix one scale; each group of `group_size` neighbours has its own",
            ),
            Misconception(
                lambda weight, bits, group_size: _group_by_group(weight, bits, group_size, largest=max),
                "you took the largest weight; a large negative one must fit too, so take the largest |w|",
            ),
            Misconception(
                lambda weight, bits, group_size: _group_by_group(weight, bits, group_size, top=lambda b: 2 ** (b - 1)),
                "you divided by 2 ** (bits - 1); above the middle there is one code fewer, so the largest weight would be cut",
            ),
            Misconception(
                lambda weight, bits, group_size: _group_by_group(weight, bits, group_size, top=lambda b: 2**b - 1),
                "you spread |w| over all codes; half of them are for negative weights",
            ),
            Misconception(
                lambda weight, bits, group_size: _group_by_group(weight, bits, group_size, rounding=int),
                "you cut the decimals off; the nearest code is asked for",
            ),
            Misconception(
                _without_middle,
                "you stored negative codes in bytes without a sign; add the middle, 2 ** (bits - 1)",
            ),
            Misconception.seen(
                _zeros_divided,
                "you divided by the scale of a group of zeros, which is 0; such weights get the middle code",
            ),
        ),
    ),
    hints=(
        "`weight.view(out, groups, group_size)` puts each group into the last dimension. Along which dimension do you look for its largest |w|?",
        "scale = largest |w| / (2 ** (bits - 1) - 1), with keepdim=True so that it divides its group. Where the scale is 0, divide by 1.",
        "grouped = weight.view(out, -1, group_size); scales = amax(|grouped|, last, keepdim) / top; codes = round(grouped / where(scales == 0, 1, scales)) + middle; back to weight's shape as uint8",
    ),
)
