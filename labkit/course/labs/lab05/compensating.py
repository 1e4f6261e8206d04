"""Optimal brain surgery: drop the weight whose loss the others can best make up for.

The oracle never inverts the whole matrix: it solves for the best answer of the other weights, for each that might go.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _drop_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case(
            "independent inputs",
            weights=torch.tensor([1.0, 2.0, 1.2], dtype=torch.float64),
            hessian=torch.diag(torch.tensor([9.0, 1.0, 100.0], dtype=torch.float64)),
        ),
        Case(
            "two inputs that nearly repeat each other",
            weights=torch.tensor([2.0, 3.0, 1.5], dtype=torch.float64),
            hessian=torch.tensor([[4.0, 3.6, 0.0], [3.6, 4.0, 0.0], [0.0, 0.0, 4.0]], dtype=torch.float64),
        ),
    ]
    return [*fixed, *(_drawn_layer(rng) for _ in range(10))]


def _drawn_layer(rng: np.random.Generator) -> Case:
    """Drawn again while the two cheapest weights cost so nearly the same that rounding would decide between them."""
    while True:
        size = int(rng.integers(3, 8))
        mixing = rng.normal(0, 1, (size, size)) * rng.uniform(0.3, 3, size)
        inputs = rng.normal(0, 1, (3 * size, size)) @ mixing
        weights = torch.tensor(rng.normal(0, 1, size))
        hessian = torch.tensor(inputs.T @ inputs / len(inputs) + 0.3 * np.eye(size))
        least, next_least, *_ = sorted(_error(weights, _without(weights, hessian, j), hessian) for j in range(size))
        if next_least > 1.001 * least:
            return Case(weights=weights, hessian=hessian)


def _without(weights: Tensor, hessian: Tensor, gone: int) -> Tensor:
    """The best weights with one of them zero: minimise d^T H d with d[gone] = -weights[gone], by the normal equations."""
    others = [j for j in range(len(weights)) if j != gone]
    moved = weights.clone()
    moved[gone] = 0.0
    moved[others] += torch.linalg.solve(hessian[others][:, others], hessian[others, gone] * weights[gone])
    return moved


def _error(weights: Tensor, moved: Tensor, hessian: Tensor) -> float:
    return float((moved - weights) @ hessian @ (moved - weights))


def _drop(weights: Tensor, hessian: Tensor) -> tuple[int, Tensor]:
    answers = [_without(weights, hessian, j) for j in range(len(weights))]
    errors = [_error(weights, moved, hessian) for moved in answers]
    best = errors.index(min(errors))
    return best, answers[best]


def _chosen_by(price: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[int, Tensor]]:
    def drop(weights: Tensor, hessian: Tensor) -> tuple[int, Tensor]:
        gone = int(price(weights, hessian).argmin())
        return gone, _without(weights, hessian, gone)

    return drop


def _moved_by(step: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[[Tensor, Tensor], tuple[int, Tensor]]:
    def drop(weights: Tensor, hessian: Tensor) -> tuple[int, Tensor]:
        gone, _ = _drop(weights, hessian)
        moved = weights + step(weights, torch.linalg.inv(hessian), gone)
        moved[gone] = 0.0
        return gone, moved

    return drop


DROP_ONE = Exercise(
    name="drop_one",
    title="Drop one weight, and let the others make up for it",
    difficulty=4,
    importance=5,
    minutes=15,
    cases=_drop_cases,
    judge=oracle_judge(
        _drop,
        (
            Misconception(
                _chosen_by(lambda w, H: w.abs()),
                "you dropped the smallest weight; what counts is the error that is left after the others have made up for it",
            ),
            Misconception(
                _chosen_by(lambda w, H: w**2 * H.diagonal()),
                "you judged by the diagonal of the Hessian: that is the error if no other weight moves; judge by the diagonal of its inverse",
            ),
            Misconception(
                _chosen_by(lambda w, H: w**2 * torch.linalg.inv(H).diagonal()),
                "you multiplied by the diagonal of the inverse; the error is the squared weight divided by it",
            ),
            Misconception(
                _moved_by(lambda w, inverse, j: torch.zeros_like(w)),
                "you dropped the right weight, but the others did not move",
            ),
            Misconception(
                _moved_by(lambda w, inverse, j: w[j] / inverse[j, j] * inverse[j]),
                "the others moved the wrong way: what the dropped weight did has to be taken over, so mind the sign",
            ),
            Misconception(
                _moved_by(lambda w, inverse, j: -w[j] * inverse[j]),
                "you forgot to divide by the diagonal of the inverse",
            ),
            Misconception(
                lambda weights, hessian: _drop(weights, hessian)[::-1],
                "the two results are swapped: the place comes first, then the weights",
            ),
        ),
        precision="float32",
    ),
    hints=(
        "Two formulas: one says what dropping weight j costs, the other how all weights move. Both need the inverse of the Hessian.",
        "Cost of j: weights[j]**2 / inverse[j, j]. Step: - weights[j] / inverse[j, j] * inverse[j], which sets weight j to zero by itself.",
        "inverse = torch.linalg.inv(hessian); j = place of the least cost; moved = weights + step; moved[j] = 0; return int(j), moved",
    ),
)
