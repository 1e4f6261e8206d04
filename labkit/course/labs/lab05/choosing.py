"""Which weights are kept: by size, by size and input, and two in every four.

The oracles sort pairs of Python numbers; the notebook uses `argsort` and `scatter_`. Of equal scores the first is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _best(scores: Iterable[float], count: int) -> set[int]:
    numbered = sorted(enumerate(scores), key=lambda pair: (-pair[1], pair[0]))
    return {place for place, _ in numbered[:count]}


def _mask_of(shape: tuple[int, ...], kept: set[int]) -> Tensor:
    flat = [place in kept for place in range(shape[0] * shape[1])]
    return torch.tensor(flat).view(shape)


def _rows_mask(scores: Tensor, count: int) -> Tensor:
    kept = [_best(row, count) for row in scores.tolist()]
    return torch.tensor([[j in best for j in range(scores.shape[1])] for best in kept])


def _layer_mask(scores: Tensor, count: int) -> Tensor:
    return _mask_of(tuple(scores.shape), _best(scores.flatten().tolist(), count))


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.tensor(rng.normal(0, 1, shape), dtype=torch.float32)


def _magnitude_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("two of four", weight=torch.tensor([[1.0, -4.0], [2.0, 3.0]]), count=2),
        Case("a tie on the edge", weight=torch.tensor([[2.0, -1.0, 1.0], [1.0, 0.5, -1.0]]), count=3),
        Case("all alike", weight=torch.ones(2, 3), count=4),
        Case("none", weight=torch.tensor([[3.0, -1.0], [1.0, 2.0]]), count=0),
        Case("all", weight=torch.tensor([[3.0, -1.0], [1.0, 2.0]]), count=4),
        Case("one row is large", weight=torch.tensor([[9.0, -8.0, 7.0, 6.0], [1.0, -2.0, 0.5, 0.1]]), count=4),
    ]
    drawn = []
    for _ in range(6):
        rows, columns = (int(n) for n in rng.integers(2, 8, 2))
        drawn.append(Case(weight=_normal(rng, rows, columns), count=int(rng.integers(1, rows * columns))))
    return [*fixed, *drawn]


def _at_least(weight: Tensor, count: int, strictly: bool) -> Tensor:
    sizes = weight.abs()
    if not count:
        return torch.zeros_like(weight, dtype=torch.bool)
    edge = sizes.flatten().sort(descending=True).values[count - 1]
    return sizes > edge if strictly else sizes >= edge


MAGNITUDE_MASK = Exercise(
    name="magnitude_mask",
    title="Keep the largest",
    difficulty=1,
    importance=5,
    minutes=6,
    cases=_magnitude_cases,
    judge=oracle_judge(
        lambda weight, count: _layer_mask(weight.abs(), count),
        (
            Misconception(
                lambda weight, count: _layer_mask(weight, count),
                "you compared the weights with their signs; a large negative weight matters as much as a positive one",
            ),
            Misconception(
                lambda weight, count: _at_least(weight, count, strictly=False),
                "you kept everything from a threshold on; where weights tie on it that is more than `count`",
            ),
            Misconception(
                lambda weight, count: _at_least(weight, count, strictly=True),
                "you kept what is strictly above the threshold; the weight on it belongs to the `count` as well",
            ),
            Misconception(
                lambda weight, count: _layer_mask(-weight.abs(), count),
                "you kept the smallest weights",
            ),
            Misconception(
                lambda weight, count: ~_layer_mask(weight.abs(), count),
                "your mask is True on what goes; it has to be True on what is kept",
            ),
            Misconception(
                lambda weight, count: _layer_mask(weight.abs(), weight.numel() - count),
                "you took `count` for the number of weights that go; it is the number that are kept",
            ),
            Misconception(
                lambda weight, count: _rows_mask(weight.abs(), count // len(weight)),
                "you gave every row the same number; here all weights of the layer compete with each other",
            ),
        ),
    ),
    hints=(
        "All weights compete, so forget the two dimensions for a while; `sort` and `argsort` have `stable=True`.",
        "Sort the absolute values, largest first and stably, take the first `count` places, and set those places to True.",
        "order = weight.abs().flatten().argsort(descending=True, stable=True); mask = zeros of bool; mask[order[:count]] = True; give it the shape of weight",
    ),
)


def _wanda_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case(
            "a small weight on a large input",
            weight=torch.tensor([[3.0, -1.0]]),
            inputs=torch.tensor([[1.0, 10.0]]),
            kept=1,
        ),
        Case(
            "inputs that cancel",
            weight=torch.tensor([[1.0, 1.5], [2.0, -1.0]]),
            inputs=torch.tensor([[4.0, 1.0], [-4.0, 1.0]]),
            kept=1,
        ),
        Case(
            "often or once",
            weight=torch.tensor([[1.0, 1.0, 0.1]]),
            inputs=torch.tensor([[2.0, 3.0, 1.0], [2.0, 0.0, 1.0], [2.0, 0.0, 1.0]]),
            kept=1,
        ),
        Case(
            "a row of small weights",
            weight=torch.tensor([[5.0, -6.0, 7.0, 8.0], [0.1, 0.2, -0.3, 0.05]]),
            inputs=torch.ones(2, 4),
            kept=2,
        ),
        Case("a row of zeros", weight=torch.zeros(1, 4), inputs=torch.ones(3, 4), kept=2),
    ]
    return [*fixed, *(_drawn_layer(rng) for _ in range(8))]


def _drawn_layer(rng: np.random.Generator) -> Case:
    """Drawn again while two scores of a row lie so close that rounding would decide between them."""
    while True:
        rows, columns, tokens = int(rng.integers(2, 6)), int(rng.integers(4, 9)), int(rng.integers(2, 9))
        inputs = _normal(rng, tokens, columns) * torch.tensor(rng.uniform(0.2, 5, columns), dtype=torch.float32)
        weight = _normal(rng, rows, columns)
        scores = (weight.abs().double() * _norms(inputs)).sort(dim=1).values
        if (scores.diff(dim=1) > 1e-3 * scores[:, 1:]).all():
            return Case(weight=weight, inputs=inputs, kept=int(rng.integers(1, columns)))


def _by_input(size: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda weight, inputs, kept: _rows_mask(weight.abs().double() * size(inputs.double()), kept)


def _norms(inputs: Tensor) -> Tensor:
    return torch.tensor([sum(x * x for x in column) ** 0.5 for column in inputs.T.tolist()], dtype=torch.float64)


WANDA_MASK = Exercise(
    name="wanda_mask",
    title="Ask the inputs too",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=_wanda_cases,
    judge=oracle_judge(
        _by_input(_norms),
        (
            Misconception(
                lambda weight, inputs, kept: _rows_mask(weight.abs(), kept),
                "you looked at the weights alone; a small weight on a large input does more than a large one on a small input",
            ),
            Misconception(
                _by_input(lambda x: x.mean(0).abs()),
                "you averaged the inputs with their signs; they cancel, though each of them counted",
            ),
            Misconception(
                _by_input(lambda x: (x**2).sum(0)),
                "you used the squared norm; Wanda multiplies by the norm itself",
            ),
            Misconception(
                _by_input(lambda x: x.abs().amax(0)),
                "you used the largest input; an input that is always there outweighs one that was large once",
            ),
            Misconception(
                lambda weight, inputs, kept: _layer_mask(weight.abs().double() * _norms(inputs), kept * len(weight)),
                "you let all weights of the layer compete; in Wanda each output keeps `kept` of its own",
            ),
            Misconception(
                lambda weight, inputs, kept: _rows_mask(weight.double() * _norms(inputs), kept),
                "you compared the weights with their signs; take their absolute values",
            ),
            Misconception(
                lambda weight, inputs, kept: ~_by_input(_norms)(weight, inputs, kept),
                "your mask is True on what goes; it has to be True on what is kept",
            ),
        ),
    ),
    hints=(
        "Every input feature has one norm over all tokens; over which axis of `inputs` is that?",
        "score = weight.abs() * (norm of each column of inputs). In each row the `kept` largest scores stay.",
        "score = weight.abs() * inputs.norm(dim=0); order = score.argsort(dim=1, descending=True, stable=True)[:, :kept]; zeros of bool, scatter True along dim 1",
    ),
)


def _two_four_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one group", weight=torch.tensor([[1.0, -4.0, 2.0, 3.0]])),
        Case("a tie", weight=torch.tensor([[1.0, 2.0, -1.0, 1.0]])),
        Case("two groups, one of them large", weight=torch.tensor([[9.0, 8.0, 7.0, 6.0, 1.0, -3.0, 0.5, 2.0]])),
        Case("four rows", weight=torch.arange(16.0).view(4, 4)),
        Case("zeros", weight=torch.zeros(2, 4)),
    ]
    drawn = [Case(weight=_normal(rng, 4 * int(rng.integers(1, 3)), 4 * int(rng.integers(2, 5)))) for _ in range(6)]
    return [*fixed, *drawn]


def _groups_mask(scores: Tensor, count: int = 2) -> Tensor:
    return _rows_mask(scores.reshape(-1, 4), count).view(scores.shape)


def _strided_mask(weight: Tensor) -> Tensor:
    quarter = weight.shape[1] // 4
    apart = weight.abs().view(len(weight), 4, quarter).transpose(1, 2)
    return _groups_mask(apart).transpose(1, 2).reshape(weight.shape)


def _down_the_column(weight: Tensor) -> Tensor:
    if len(weight) % 4:
        return _groups_mask(weight.abs())
    return _groups_mask(weight.abs().T.contiguous()).T.contiguous()


TWO_FOUR_MASK = Exercise(
    name="two_four_mask",
    title="Two in every four",
    difficulty=2,
    importance=4,
    minutes=6,
    cases=_two_four_cases,
    judge=oracle_judge(
        lambda weight: _groups_mask(weight.abs()),
        (
            Misconception(
                lambda weight: _rows_mask(weight.abs(), weight.shape[1] // 2),
                "you kept half of each row; in 2:4 every group of four neighbours has to keep exactly two",
            ),
            Misconception(
                _down_the_column,
                "you grouped outputs; the four neighbours of a group are inputs of one output",
            ),
            Misconception(
                _strided_mask,
                "your groups are spread over the row; a group is four inputs side by side",
            ),
            Misconception(
                lambda weight: _groups_mask(weight),
                "you compared the weights with their signs; take their absolute values",
            ),
            Misconception(
                lambda weight: _groups_mask(-weight.abs()),
                "you kept the two smallest of each group",
            ),
            Misconception(
                lambda weight: _groups_mask(weight.abs(), 1),
                "you kept one of each group; two may stay",
            ),
            Misconception(
                lambda weight: torch.tensor([True, True, False, False]).repeat(weight.numel() // 4).view(weight.shape),
                "you kept the first two of each group, whatever they are",
            ),
        ),
    ),
    hints=(
        "Give each group of four an axis of its own: `unflatten` turns the last dimension into (groups, 4).",
        "Within the last axis of four, sort by absolute value, stably, and mark the first two places. Then flatten back.",
        "groups = weight.abs().unflatten(1, (-1, 4)); order = groups.argsort(dim=-1, descending=True, stable=True)[..., :2]; zeros of bool, scatter True along -1, flatten(1)",
    ),
)
