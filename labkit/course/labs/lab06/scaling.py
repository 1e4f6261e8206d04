"""AWQ's search: what each exponent would cost.

The oracle rounds row by row in numpy and sums the error over a second moment; the notebook compares outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    import torch

    toy = (
        torch.tensor([[1.0, 0.13]], dtype=torch.float64),
        torch.tensor([[0.1, 10.0], [-0.1, 10.0]], dtype=torch.float64),
    )
    fixed = [Case("the example", weight=toy[0], inputs=toy[1], alphas=[0.0, 0.5], bits=3)]
    sizes = [(2, 4, 5, 3), (3, 6, 8, 4), (4, 8, 16, 3), (5, 8, 12, 2), (3, 10, 20, 3), (6, 12, 9, 4)]
    return [*fixed, *(_drawn(rng, *size) for size in sizes)]


def _drawn(rng: np.random.Generator, out: int, inner: int, tokens: int, bits: int) -> Case:
    import torch

    loud = np.exp(rng.normal(0, 1.2, inner))
    inputs = torch.from_numpy(rng.standard_normal((tokens, inner)) * loud)
    weight = torch.from_numpy(rng.standard_normal((out, inner)) / np.sqrt(loud))
    return Case(weight=weight, inputs=inputs, alphas=[0.0, 0.3, 0.5, 1.0], bits=bits)


def _magnitude(x: np.ndarray) -> np.ndarray:
    return np.abs(x).mean(axis=0)


def _moments(
    weight: Any,
    inputs: Any,
    alphas: list[float],
    bits: int,
    magnitude: Callable[[np.ndarray], np.ndarray] = _magnitude,
    back: bool = True,
    outputs: bool = True,
    squared: bool = False,
) -> list[float]:
    """By the second moment of the inputs; the arguments behind `bits` are what can go wrong."""
    w, x = weight.numpy(), inputs.numpy()
    moment = x.T @ x if outputs else np.eye(x.shape[1])
    found = []
    for alpha in alphas:
        s = magnitude(x) ** alpha
        rows = []
        for row in w * s:
            step = np.abs(row).max() / (2 ** (bits - 1) - 1)
            rows.append(np.round(row / step) * step / (s if back else 1.0))
        moved = np.array(rows) - w
        share = np.trace(moved @ moment @ moved.T) / np.trace(w @ moment @ w.T)
        found.append(float(share if squared else np.sqrt(share)))
    return found


def _wrong(**how: Any) -> Callable[..., list[float]]:
    return lambda weight, inputs, alphas, bits: _moments(weight, inputs, alphas, bits, **how)


SCALED_ERRORS = Exercise(
    name="scaled_errors",
    title="A search for scales",
    difficulty=3,
    importance=5,
    minutes=12,
    cases=_cases,
    judge=oracle_judge(
        _moments,
        (
            Misconception(
                _wrong(outputs=False),
                "you compared weights; what counts is how far the *outputs* move, and there loud channels weigh more",
            ),
            Misconception(
                _wrong(back=False),
                "you left the scales in the weights; divide them out again after rounding, as the inputs are divided by them",
            ),
            Misconception(
                _wrong(magnitude=lambda x: np.abs(x).max(axis=0)),
                "you took the largest |x| of a channel; AWQ takes the mean",
            ),
            Misconception(
                _wrong(magnitude=lambda x: 1 / _magnitude(x)),
                "you scaled loud channels down; their weights need the finer steps, so scale them up",
            ),
            Misconception(
                _wrong(magnitude=lambda x: np.abs(x.mean(axis=0))),
                "you took the mean of x, where plus and minus cancel; take that of |x|",
            ),
            Misconception(
                _wrong(squared=True),
                "you returned the share of squares; take its root, as a norm does",
            ),
        ),
    ),
    hints=(
        "For each alpha: scales, scaled weights, rounded weights, scales taken out again. Then compare outputs, not weights.",
        "scales = mean of |inputs| over the tokens, to the power alpha. A row's step is its largest scaled |w| / (2 ** (bits - 1) - 1).",
        "scaled = weight * scales; step = amax(|scaled|, dim 1, keepdim) / top; back = round(scaled / step) * step / scales; error = norm(inputs @ (back - weight).T) / norm(inputs @ weight.T)",
    ),
)
