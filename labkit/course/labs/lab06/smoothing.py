"""SmoothQuant: move what is hard to round from the activations to the weights.

The oracle goes channel by channel in plain numbers; the notebook does all channels at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    import torch

    def case(label: str, inputs: Any, weight: Any, alpha: float) -> Case:
        x, w = (torch.tensor(np.asarray(rows), dtype=torch.float64) for rows in (inputs, weight))
        return Case(label, inputs=x, weight=w, alpha=alpha)

    fixed = [
        case("the example", [[16.0, 1.0]], [[1.0, -1.0]], 0.5),
        case("all of it moves", [[-8.0, 1.0], [2.0, 0.5]], [[0.5, 1.0]], 1.0),
        case("a channel that is never used", [[0.0, 3.0], [0.0, -9.0]], [[2.0, 1.0], [4.0, 0.5]], 0.5),
        case("a channel without weight", [[5.0, 3.0]], [[0.0, 1.0], [0.0, 0.25]], 0.5),
    ]
    sizes = [(3, 4, 2, 0.5), (5, 3, 4, 0.75), (2, 6, 3, 0.25), (7, 5, 5, 0.5)]
    return [*fixed, *(_drawn(rng, *size) for size in sizes)]


def _drawn(rng: np.random.Generator, tokens: int, inner: int, out: int, alpha: float) -> Case:
    import torch

    inputs = torch.from_numpy(rng.standard_normal((tokens, inner)) * 10 ** rng.uniform(-1, 2, inner))
    return Case(inputs=inputs, weight=torch.from_numpy(rng.standard_normal((out, inner))), alpha=alpha)


def _channels(
    inputs: Any,
    weight: Any,
    alpha: float,
    scale: Callable[[float, float, float], float] = lambda x, w, a: x**a / w ** (1 - a),
    largest: Callable[[list[float]], float] = lambda numbers: max(map(abs, numbers)),
) -> tuple[Any, Any]:
    """Inputs divided, weights multiplied; the arguments behind `alpha` are what can go wrong."""
    import torch

    new_inputs, new_weight = [], []
    for x, w in zip(inputs.T.tolist(), weight.T.tolist(), strict=True):
        top_x, top_w = largest(x), largest(w)
        s = scale(top_x, top_w, alpha) if any(x) and any(w) else 1.0
        new_inputs.append([value / s for value in x])
        new_weight.append([value * s for value in w])
    return tuple(torch.tensor(rows, dtype=inputs.dtype).T.contiguous() for rows in (new_inputs, new_weight))


def _whole(inputs: Any, weight: Any, alpha: float) -> tuple[Any, Any]:
    s = inputs.abs().max() ** alpha / weight.abs().max() ** (1 - alpha)
    return inputs / s, weight * s


def _unguarded(inputs: Any, weight: Any, alpha: float) -> tuple[Any, Any]:
    s = inputs.abs().amax(0) ** alpha / weight.abs().amax(0) ** (1 - alpha)
    return inputs / s, weight * s


SMOOTH = Exercise(
    name="smooth",
    title="Divide here, multiply there",
    difficulty=3,
    importance=5,
    minutes=8,
    cases=_cases,
    judge=oracle_judge(
        _channels,
        (
            Misconception(
                lambda inputs, weight, alpha: _channels(inputs, weight, alpha, lambda x, w, a: w ** (1 - a) / x**a),
                "you multiplied the inputs and divided the weights; the outliers sit in the inputs, so those are divided",
            ),
            Misconception(
                lambda inputs, weight, alpha: _channels(inputs, weight, alpha, lambda x, w, a: x**a / w**a),
                "you raised both maxima to alpha; the weights' has the exponent 1 - alpha",
            ),
            Misconception(
                lambda inputs, weight, alpha: _channels(inputs, weight, alpha, lambda x, w, a: x**a),
                "you left the weights out of the scale; with both in it neither side ends up too hard",
            ),
            Misconception(
                lambda inputs, weight, alpha: _channels(inputs, weight, alpha, lambda x, w, a: x ** (1 - a) / w**a),
                "you swapped the exponents; alpha belongs to the inputs, 1 - alpha to the weights",
            ),
            Misconception(
                lambda inputs, weight, alpha: _channels(
                    inputs, weight, alpha, largest=lambda numbers: sum(map(abs, numbers)) / len(numbers)
                ),
                "you took means; int8 must span the largest value, so take maxima",
            ),
            Misconception(
                _whole,
                "you used one scale for all channels; then nothing changes between channels, and that was the trouble",
            ),
            Misconception(
                _unguarded,
                "you divided by zero where a channel is never used or has no weight; such a channel keeps the scale 1",
            ),
        ),
    ),
    hints=(
        "One scale for each channel: a channel is a column of the inputs *and* a column of the weight.",
        "Largest |x| and |w| of each column, over dim 0. s = x ** alpha / w ** (1 - alpha), and 1 where either is 0.",
        "s = where((x > 0) & (w > 0), x ** alpha / w ** (1 - alpha), 1); return inputs / s, weight * s",
    ),
)
