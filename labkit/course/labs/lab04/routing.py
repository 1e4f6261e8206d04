"""Where tokens go, and which of them find no room."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import torch
from torch import Tensor

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _route_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one token, two of three", logits=torch.tensor([[0.0, 2.0, 1.0]]), chosen=2),
        Case("all experts", logits=torch.tensor([[1.0, -1.0, 0.5], [-3.0, 2.0, 0.0]]), chosen=3),
        Case("only the best", logits=torch.tensor([[-5.0, -4.0], [3.0, 1.0], [0.0, 2.0]]), chosen=1),
        Case("far apart", logits=torch.tensor([[25.0, -25.0, 0.0, 1.0], [4.0, 5.0, -20.0, 3.0]]), chosen=2),
    ]
    return [*fixed, *(_drawn_logits(rng) for _ in range(8))]


def _drawn_logits(rng: np.random.Generator) -> Case:
    tokens, experts = int(rng.integers(2, 8)), int(rng.integers(3, 9))
    logits = torch.tensor(rng.normal(0, 2, (tokens, experts)), dtype=torch.float32)
    return Case(logits=logits, chosen=int(rng.integers(2, experts)))


def _picked(logits: Tensor, chosen: int) -> Tensor:
    rows = [sorted(range(logits.shape[1]), key=lambda e, row=row: -row[e])[:chosen] for row in logits.tolist()]
    return torch.tensor(rows)


def _route(logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    """A softmax over the chosen alone: the same numbers, as what is left out of numerator and denominator cancels."""
    picked = _picked(logits, chosen)
    rows = [
        [math.exp(row[e] - row[es[0]]) for e in es] for row, es in zip(logits.tolist(), picked.tolist(), strict=True)
    ]
    return picked, torch.tensor([[w / sum(row) for w in row] for row in rows])


def _gathered(logits: Tensor, chosen: int, scores: Tensor, normalise: bool = True) -> tuple[Tensor, Tensor]:
    picked = _picked(logits, chosen)
    weights = scores.gather(1, picked)
    return picked, weights / weights.sum(1, keepdim=True) if normalise else weights


def _by_number(logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    picked, weights = _route(logits, chosen)
    picked, order = picked.sort(dim=1)
    return picked, weights.gather(1, order)


ROUTE = Exercise(
    name="route",
    title="The router",
    difficulty=2,
    importance=5,
    minutes=10,
    cases=_route_cases,
    judge=oracle_judge(
        _route,
        (
            Misconception(
                lambda logits, chosen: _gathered(logits, chosen, logits.softmax(1), normalise=False),
                "you left the weights as shares of all experts; those of the chosen must sum to 1",
            ),
            Misconception(
                lambda logits, chosen: _gathered(logits, chosen, logits.softmax(0)),
                "you took the softmax over the tokens; each token asks for itself, over its experts",
            ),
            Misconception(
                lambda logits, chosen: (_picked(logits, chosen), torch.full((len(logits), chosen), 1 / chosen)),
                "you gave all chosen experts the same weight; the router says how much each is wanted",
            ),
            Misconception(
                lambda logits, chosen: _gathered(logits, chosen, logits.sigmoid()),
                "you took the sigmoid of each logit; some models do, but here it is the softmax",
            ),
            Misconception(
                lambda logits, chosen: _gathered(logits, chosen, logits),
                "you divided the logits by their sum; they may be negative, so the softmax comes first",
            ),
            Misconception(
                lambda logits, chosen: _route(-logits, chosen),
                "you took the experts that are wanted least",
            ),
            Misconception(
                _by_number,
                "you put the chosen experts in the order of their numbers; the best one comes first",
            ),
        ),
    ),
    hints=(
        "Two steps: turn each token's logits into shares, then keep the best and let them sum to 1 again.",
        "`softmax(dim=-1)` and `topk(chosen, dim=-1)`, which returns values and indices, best first.",
        "weights, indices = logits.softmax(dim=-1).topk(chosen, dim=-1); return indices, weights / weights.sum(dim=-1, keepdim=True)",
    ),
)


def _dropped_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("room for two", experts=2, chosen_experts=[0, 0, 0, 1], factor=1.0),
        Case("even load", experts=3, chosen_experts=[0, 1, 2, 0, 1, 2], factor=1.0),
        Case("rounded up", experts=3, chosen_experts=[1, 1, 1, 1, 0, 2, 2], factor=1.0),
        Case("all want one", experts=4, chosen_experts=[2] * 9, factor=1.5),
        Case("room for all", experts=2, chosen_experts=[0, 0, 0, 0], factor=2.0),
        Case("two overflow", experts=4, chosen_experts=[0] * 5 + [1] * 5 + [2], factor=1.0),
    ]
    return [*fixed, *(_drawn_choices(rng) for _ in range(8))]


def _drawn_choices(rng: np.random.Generator) -> Case:
    experts = int(rng.integers(3, 9))
    shares = rng.dirichlet([0.5] * experts)
    chosen = rng.choice(experts, size=int(rng.integers(20, 80)), p=shares).tolist()
    return Case(experts=experts, chosen_experts=chosen, factor=float(rng.choice([0.75, 1.0, 1.25, 1.6])))


def _lost(experts: int, chosen_experts: list[int], rows: int) -> int:
    return sum(max(count - rows, 0) for count in Counter(chosen_experts).values())


def _dropped(experts: int, chosen_experts: list[int], factor: float) -> int:
    """One choice after another, as they arrive."""
    room = [math.ceil(factor * len(chosen_experts) / experts)] * experts
    lost = 0
    for expert in chosen_experts:
        lost += room[expert] == 0
        room[expert] -= room[expert] > 0
    return lost


DROPPED = Exercise(
    name="dropped",
    title="No room left",
    difficulty=2,
    importance=4,
    minutes=6,
    cases=_dropped_cases,
    judge=oracle_judge(
        _dropped,
        (
            Misconception(
                lambda experts, chosen, factor: _lost(experts, chosen, int(factor * len(chosen) / experts)),
                "you rounded the capacity down; it is rounded up",
            ),
            Misconception(
                lambda experts, chosen, factor: _lost(experts, chosen, math.ceil(len(chosen) / experts)),
                "you left the factor out: it multiplies the even load",
            ),
            Misconception(
                lambda experts, chosen, factor: len(chosen) - _dropped(experts, chosen, factor),
                "you counted the choices that find room",
            ),
            Misconception(
                lambda experts, chosen, factor: sum(
                    count > math.ceil(factor * len(chosen) / experts) for count in Counter(chosen).values()
                ),
                "you counted the experts that overflow; the choices that each of them loses are asked for",
            ),
            Misconception(
                lambda experts, chosen, factor: _lost(
                    experts, chosen, math.ceil(factor * len(chosen) / len(set(chosen)))
                ),
                "you divided by the experts that are in use; room is set aside for all of them",
            ),
            Misconception(
                lambda experts, chosen, factor: max(
                    len(chosen) - experts * math.ceil(factor * len(chosen) / experts), 0
                ),
                "you compared all choices with all room; free room at one expert does not help at another",
            ),
        ),
    ),
    hints=(
        "How many choices does each expert get, and how many may it take? Only what is above counts.",
        "Capacity: `math.ceil(factor * number of choices / experts)`. Count each expert's choices with `chosen_experts.count(e)`.",
        "rows = math.ceil(factor * len(chosen_experts) / experts); return sum(max(0, chosen_experts.count(e) - rows) for e in range(experts))",
    ),
)
