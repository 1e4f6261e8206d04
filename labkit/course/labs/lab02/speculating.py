"""Which guesses stand: for a model that takes its best token, and for one that draws."""

from __future__ import annotations

import itertools

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _greedy_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the third is wrong", best=[4, 5, 9, 7], drafted=[4, 5, 6]),
        Case("all are right", best=[4, 5, 6, 7], drafted=[4, 5, 6]),
        Case("the first is wrong", best=[1, 5, 6, 7], drafted=[4, 5, 6]),
        Case("wrong, then right again", best=[4, 1, 6, 8, 9], drafted=[4, 2, 6, 8]),
        Case("nothing was guessed", best=[3], drafted=[]),
        Case("one guess, wrong", best=[3, 8], drafted=[5]),
        Case("the same token again and again", best=[2, 2, 2, 2], drafted=[2, 2, 3]),
        Case("one place late", best=[7, 1, 2, 3], drafted=[1, 2, 3]),
    ]
    return [*fixed, *(_drawn_guesses(rng) for _ in range(8))]


def _drawn_guesses(rng: np.random.Generator) -> Case:
    drafted = rng.integers(0, 50, rng.integers(1, 7)).tolist()
    best = [token if rng.random() < 0.7 else int(rng.integers(50, 99)) for token in drafted]
    return Case(best=[*best, int(rng.integers(50, 99))], drafted=drafted)


def _accept(best: list[int], drafted: list[int]) -> list[int]:
    agreeing = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(best, drafted, strict=False))
    right = sum(1 for _ in agreeing)
    return best[: right + 1]


def _right(best: list[int], drafted: list[int]) -> int:
    return len(_accept(best, drafted)) - 1


def _one_late(best: list[int], drafted: list[int]) -> list[int]:
    right = _right(best[1:], drafted[: len(best) - 1])
    return [*drafted[:right], best[right]]


ACCEPT = Exercise(
    name="accept",
    title="Which guesses stand?",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=_greedy_cases,
    judge=oracle_judge(
        _accept,
        (
            Misconception(
                lambda best, drafted: drafted[: _right(best, drafted)],
                "you returned the right guesses alone; the pass also tells what should stand after them, for nothing",
            ),
            Misconception(
                lambda best, drafted: _accept(best, drafted)[: max(len(drafted), 1)],
                "after a draft that is right throughout one more token is known: the model looked behind its last guess too",
            ),
            Misconception(
                lambda best, drafted: (
                    [d for d, b in zip(drafted, best, strict=False) if d == b] + [best[_right(best, drafted)]]
                ),
                "you went on after a wrong guess; what the model said behind it was said about a text that does not exist",
            ),
            Misconception(
                lambda best, drafted: drafted[: _right(best, drafted) + 1] or best[:1],
                "you kept the wrong guess; the model's own token takes its place",
            ),
            Misconception(
                lambda best, drafted: [*drafted[: _right(best, drafted)], best[-1]],
                "you always took the model's last token; the one at the place of the first wrong guess is wanted",
            ),
            Misconception(
                lambda best, drafted: _right(best, drafted),
                "you returned how many are right; the tokens themselves are asked for",
            ),
            Misconception(
                _one_late,
                "you compared each guess with the token after it; best[n] is the model's own choice for the place of drafted[n]",
            ),
        ),
    ),
    hints=(
        "Walk through both lists from the left, side by side, and stop at the first difference.",
        "best[n] is what the model would have written where drafted[n] stands. At the first difference write best[n] and stop.",
        "n = 0; while n < len(drafted) and drafted[n] == best[n]: n += 1; return drafted[:n] + [best[n]]",
    ),
)


def _distribution_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("worked by hand", p=[0.5, 0.3, 0.2], q=[0.2, 0.6, 0.2], token=1),
        Case("less likely guessed than it should be", p=[0.5, 0.3, 0.2], q=[0.2, 0.6, 0.2], token=0),
        Case("the model rules it out", p=[0.0, 0.25, 0.75], q=[0.5, 0.25, 0.25], token=0),
        Case("a sure guess", p=[0.3, 0.3, 0.4], q=[0.0, 1.0, 0.0], token=1),
        Case("two places to fill", p=[0.4, 0.4, 0.1, 0.1], q=[0.1, 0.1, 0.4, 0.4], token=2),
    ]
    return [*fixed, *(_drawn_distributions(rng) for _ in range(8))]


def _drawn_distributions(rng: np.random.Generator) -> Case:
    p, q = rng.dirichlet(np.ones(rng.integers(3, 7)), 2) if rng.random() < 0.5 else rng.dirichlet(np.ones(5) / 2, 2)
    return Case(p=p.tolist(), q=q.tolist(), token=int(np.argmax(q - p if rng.random() < 0.7 else p - q)))


def _judge(p: list[float], q: list[float], token: int) -> tuple[float, list[float]]:
    p_array, q_array = np.array(p), np.array(q)
    common = np.minimum(p_array, q_array)
    missing = p_array - common
    return float(common[token] / q_array[token]), (missing / missing.sum()).tolist()


def _scaled(weights: list[float]) -> list[float]:
    return (np.array(weights) / sum(weights)).tolist()


JUDGE_GUESS = Exercise(
    name="judge_guess",
    title="Guesses for a model that draws",
    difficulty=4,
    importance=3,
    minutes=12,
    cases=_distribution_cases,
    judge=oracle_judge(
        _judge,
        (
            Misconception(
                lambda p, q, token: (min(1.0, q[token] / p[token]), _judge(p, q, token)[1]),
                "the fraction is upside down: what is guessed too often has to be refused more often",
            ),
            Misconception(
                lambda p, q, token: (p[token] / q[token], _judge(p, q, token)[1]),
                "a chance cannot be above 1; a guess that comes too rarely is always taken",
            ),
            Misconception(
                lambda p, q, token: (p[token], _judge(p, q, token)[1]),
                "you took the model's probability as the chance; it has to be seen beside how often the draft guesses this",
            ),
            Misconception(
                lambda p, q, token: (_judge(p, q, token)[0], [max(0.0, a - b) for a, b in zip(p, q, strict=True)]),
                "what is left over does not sum to 1 yet; divide it by its sum",
            ),
            Misconception(
                lambda p, q, token: (_judge(p, q, token)[0], p),
                "you drew the replacement from p; then tokens that were accepted often enough already come once more",
            ),
            Misconception(
                lambda p, q, token: (_judge(p, q, token)[0], _scaled([abs(a - b) for a, b in zip(p, q, strict=True)])),
                "where q is above p nothing is missing; only what q gave too little of may be drawn",
            ),
            Misconception(
                lambda p, q, token: (
                    _judge(p, q, token)[0],
                    _scaled([0.0 if n == token else a for n, a in enumerate(p)]),
                ),
                "you only ruled the refused token out; other tokens that q gives often enough would still come too often",
            ),
        ),
    ),
    hints=(
        "Draw p and q as bars on top of each other. What they share comes from the guesses; what p has beyond q must come from the replacements.",
        "Chance: p / q at the token, at most 1. Replacement: at each token max(0, p - q), scaled to sum to 1.",
        "chance = min(1, p[token] / q[token]); rest = [max(0, a - b) for each pair]; return chance, [r / sum(rest) for r in rest]",
    ),
)
