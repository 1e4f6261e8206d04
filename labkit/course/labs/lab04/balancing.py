"""How uneven a load is, and two ways of evening it: a loss, and a bias that no gradient touches."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _load_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("half where a quarter is even", counts=[4, 2, 2, 0]),
        Case("even", counts=[5, 5, 5]),
        Case("all to one", counts=[0, 0, 0, 12]),
        Case("the first is idle", counts=[0, 3, 4, 5]),
        Case("two idle", counts=[9, 0, 3, 0, 3]),
    ]
    drawn = [
        Case(counts=rng.multinomial(60, rng.dirichlet([0.6] * int(rng.integers(3, 10)))).tolist()) for _ in range(8)
    ]
    return [*fixed, *drawn]


def _violation(counts: list[int]) -> float:
    return float(Fraction(max(counts) * len(counts) - sum(counts), sum(counts)))


MAX_VIOLATION = Exercise(
    name="max_violation",
    title="How uneven is it?",
    difficulty=1,
    importance=4,
    minutes=4,
    cases=_load_cases,
    judge=oracle_judge(
        _violation,
        (
            Misconception(
                lambda counts: max(counts) * len(counts) / sum(counts),
                "you gave the ratio of largest to even load; how far it lies *above* 1 is asked for",
            ),
            Misconception(
                lambda counts: max(counts) * sum(c > 0 for c in counts) / sum(counts) - 1,
                "you took the mean over experts in use; idle ones are part of the problem",
            ),
            Misconception(
                lambda counts: max(counts) - sum(counts) / len(counts),
                "you gave the difference in choices; it is measured in even loads",
            ),
            Misconception(
                lambda counts: max(counts) / sum(counts),
                "you gave the busiest expert's share of all choices; hold it against the even load",
            ),
            Misconception(
                lambda counts: 1 - min(counts) * len(counts) / sum(counts),
                "you looked at the idlest expert; it is the busiest that everybody waits for",
            ),
        ),
    ),
    hints=(
        "What would the load of every expert be if it were even? How far above that is the largest?",
        "Even load: `sum(counts) / len(counts)`. Divide the largest by it.",
        "return max(counts) * len(counts) / sum(counts) - 1",
    ),
)


def _loss_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("two tokens, two experts", logits=torch.tensor([[9.0, 0.0], [0.0, 9.0]]), chosen=1),
        Case("all to one", logits=torch.tensor([[9.0, 0.0], [9.0, 0.0], [8.0, 0.0]]), chosen=1),
        Case("both experts", logits=torch.tensor([[1.0, 0.0], [0.5, 2.0]]), chosen=2),
    ]
    return [*fixed, *(_drawn_logits(rng) for _ in range(8))]


def _drawn_logits(rng: np.random.Generator) -> Case:
    tokens, experts = int(rng.integers(5, 12)), int(rng.integers(4, 8))
    logits = rng.normal(0, 1.5, (tokens, experts)) + rng.normal(0, 1, experts)
    return Case(logits=torch.tensor(logits, dtype=torch.float32), chosen=int(rng.integers(2, experts)))


def _parts(logits: Tensor, chosen: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and choices a token of each expert, in float64."""
    wanted = np.exp(logits.double().numpy())
    probabilities = wanted / wanted.sum(axis=1, keepdims=True)
    picked = np.argsort(-probabilities, axis=1)[:, :chosen]
    return probabilities.mean(axis=0), np.bincount(picked.ravel(), minlength=logits.shape[1]) / len(logits)


def _tensor(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32)


def _loss(logits: Tensor, chosen: int) -> Tensor:
    mean, load = _parts(logits, chosen)
    return _tensor(logits.shape[1] * float(mean @ load))


def _loss_first_choice(logits: Tensor, chosen: int) -> Tensor:
    mean, _ = _parts(logits, chosen)
    return _tensor(logits.shape[1] * float(mean @ _parts(logits, 1)[1]))


def _loss_both(logits: Tensor, chosen: int, which: int) -> Tensor:
    part = _parts(logits, chosen)[which]
    return _tensor(logits.shape[1] * float(part @ part))


BALANCE_LOSS = Exercise(
    name="balance_loss",
    title="A loss for idle experts",
    difficulty=3,
    importance=5,
    minutes=12,
    cases=_loss_cases,
    judge=oracle_judge(
        _loss,
        (
            Misconception(
                lambda logits, chosen: _loss(logits, chosen) / logits.shape[1],
                "you left out the number of experts in front of the sum",
            ),
            Misconception(
                lambda logits, chosen: _loss(logits, chosen) / chosen,
                "you counted the load as a share of all choices; it is choices a *token*, so it sums to `chosen`",
            ),
            Misconception(
                _loss_first_choice,
                "you counted each token's first choice alone; all chosen experts have the work",
            ),
            Misconception(
                lambda logits, chosen: _loss_both(logits, chosen, 0),
                "you multiplied the probabilities with themselves; one factor is the load, counted from the choices",
            ),
            Misconception(
                lambda logits, chosen: _loss_both(logits, chosen, 1),
                "you multiplied the load with itself; counting has no gradient, so one factor must be the mean probability",
            ),
            Misconception(
                lambda logits, chosen: _loss(logits, chosen) * len(logits),
                "you summed the probabilities over the tokens; their mean is wanted",
            ),
        ),
    ),
    hints=(
        "Two vectors with one entry an expert: what was counted, and what was wished for on average.",
        "P: `logits.softmax(dim=-1).mean(dim=0)`. f: `torch.bincount` of all chosen experts (flattened, `minlength=` the number of experts), over the number of tokens.",
        "p = logits.softmax(-1); picked = p.topk(chosen, -1).indices; f = torch.bincount(picked.flatten(), minlength=E) / len(logits); return E * (f * p.mean(0)).sum()",
    ),
)


def _bias_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("one busy, one idle", bias=[0.0, 0.0, 0.0], counts=[2, 1, 0], rate=0.1),
        Case("even", bias=[0.5, -0.5], counts=[3, 3], rate=0.1),
        Case("all to one", bias=[0.0, 0.25, 0.0, 0.0], counts=[0, 8, 0, 0], rate=0.5),
    ]
    return [*fixed, *(_drawn_bias(rng) for _ in range(9))]


def _drawn_bias(rng: np.random.Generator) -> Case:
    experts = int(rng.integers(3, 8))
    counts = rng.multinomial(6 * experts, rng.dirichlet([1.0] * experts))
    counts[-1] += -counts.sum() % experts  # the even load is a whole number
    return Case(
        bias=rng.normal(0, 0.2, experts).round(3).tolist(), counts=counts.tolist(), rate=float(rng.choice([0.01, 0.1]))
    )


def _moved(bias: list[float], counts: list[int], rate: float) -> list[float]:
    even = Fraction(sum(counts), len(counts))
    return [b + rate * ((c < even) - (c > even)) for b, c in zip(bias, counts, strict=True)]


def _in_proportion(bias: list[float], counts: list[int], rate: float) -> list[float]:
    even = sum(counts) / len(counts)
    return [b + rate * (even - c) for b, c in zip(bias, counts, strict=True)]


def _from_nothing(bias: list[float], counts: list[int], rate: float) -> list[float]:
    return _moved([0.0] * len(bias), counts, rate)


def _never_still(bias: list[float], counts: list[int], rate: float) -> list[float]:
    even = sum(counts) / len(counts)
    return [b + (rate if c <= even else -rate) for b, c in zip(bias, counts, strict=True)]


def _busiest_only(bias: list[float], counts: list[int], rate: float) -> list[float]:
    return [b - rate * (c == max(counts)) for b, c in zip(bias, counts, strict=True)]


MOVED_BIAS = Exercise(
    name="moved_bias",
    title="Steering without a gradient",
    difficulty=2,
    importance=3,
    minutes=6,
    cases=_bias_cases,
    judge=oracle_judge(
        _moved,
        (
            Misconception(
                lambda bias, counts, rate: _moved(bias, counts, -rate),
                "you moved the wrong way: a busy expert must become less attractive",
            ),
            Misconception(
                _in_proportion,
                "you moved in proportion to the excess; every bias moves by the same `rate`, whatever the distance",
            ),
            Misconception(
                _from_nothing,
                "you forgot the bias there was; the step is added to it",
            ),
            Misconception(
                _never_still,
                "you raised experts that have exactly the even load; they stay where they are",
            ),
            Misconception(
                _busiest_only,
                "you moved the busiest expert alone; all that are above the even load go down, all below it up",
            ),
        ),
    ),
    hints=(
        "Compare each count with the even load. Three things can happen to a bias.",
        "Even load: `sum(counts) / len(counts)`. Above it: minus `rate`. Below it: plus `rate`. Equal: nothing.",
        "even = sum(counts) / len(counts); return [b + rate * ((c < even) - (c > even)) for b, c in zip(bias, counts)]",
    ),
)
