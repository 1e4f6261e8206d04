"""One column of GPTQ: round it, and let the columns to come make up for its error.

The oracle goes back to the inverse Hessian of the columns that are left (optimal brain surgeon); the notebook uses the
row of the Cholesky factor, as GPTQ does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    import torch

    toy = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    weight, rounded = torch.tensor([[1.4, 2.0, 5.0]], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    fixed = [Case("the example", weight=weight, column=0, rounded=rounded, factor=toy)]
    sizes = [(1, 4, 1), (2, 3, 0), (3, 5, 2), (2, 6, 5), (4, 8, 3), (1, 2, 0), (5, 7, 4)]
    return [*fixed, *(_drawn(rng, *size) for size in sizes)]


def _drawn(rng: np.random.Generator, out: int, inner: int, column: int) -> Case:
    import torch

    x = torch.from_numpy(rng.standard_normal((3 * inner, inner)))
    factor = torch.linalg.cholesky(torch.linalg.inv(x.T @ x / len(x)), upper=True)
    weight = torch.from_numpy(2 * rng.standard_normal((out, inner)))
    label = "the last column: nobody is left" if column == inner - 1 else ""
    return Case(label, weight=weight, column=column, rounded=weight[:, column].round(), factor=factor)


def _surgeon(weight: Any, column: int, rounded: Any, factor: Any) -> Any:
    left = factor[column:, column:]
    inverse = left.T @ left  # the inverse Hessian of the columns that are left
    error = weight[:, column] - rounded
    moved = weight.clone()
    moved[:, column:] -= error[:, None] * inverse[0] / inverse[0, 0]
    moved[:, column] = rounded
    return moved


def _moved(
    share: Callable[[Any, Any, int], Any], own: bool = True, sign: int = -1
) -> Callable[[Any, int, Any, Any], Any]:
    """Later columns move by the error times `share(row of the factor, its diagonal, column)`."""

    def wrong(weight: Any, column: int, rounded: Any, factor: Any) -> Any:
        moved, error = weight.clone(), (weight[:, column] - rounded)[:, None]
        row = factor[column, column + 1 :]
        moved[:, column + 1 :] += sign * error * share(row, factor[column, column], column)
        if own:
            moved[:, column] = rounded
        return moved

    return wrong


def _next_only(row: Any, diagonal: Any, column: int) -> Any:
    first = row / diagonal
    first[1:] = 0
    return first


COMPENSATE = Exercise(
    name="compensate",
    title="Later columns make up for it",
    difficulty=4,
    importance=5,
    minutes=12,
    cases=_cases,
    judge=oracle_judge(
        _surgeon,
        (
            Misconception(
                _moved(lambda row, diagonal, column: 0 * row),
                "you rounded the column and moved no other; that is round to nearest. (A column of U is zero below its diagonal: take the row.)",
            ),
            Misconception(
                _moved(lambda row, diagonal, column: row / diagonal, sign=1),
                "you moved the columns the wrong way and doubled the damage; subtract",
            ),
            Misconception(
                _moved(lambda row, diagonal, column: row),
                "you did not divide the error by U's entry on the diagonal",
            ),
            Misconception(
                _moved(lambda row, diagonal, column: row / diagonal**2),
                "you divided by the diagonal twice; U is already the root of the inverse Hessian, so once is enough",
            ),
            Misconception(
                _moved(lambda row, diagonal, column: row / diagonal, own=False),
                "you moved the later columns but left the column itself as it was; it becomes `rounded`",
            ),
            Misconception(
                _moved(_next_only),
                "you let only the next column make up for the error; all columns to the right share it",
            ),
        ),
    ),
    hints=(
        "Three parts of the matrix: columns to the left stay, the column itself becomes `rounded`, columns to the right move.",
        "error = (weight[:, column] - rounded) / factor[column, column], one number a row. What moves: an outer product of it with a row of U.",
        "new = weight.clone(); new[:, column] = rounded; new[:, column + 1:] -= error[:, None] * factor[column, column + 1:]",
    ),
)
