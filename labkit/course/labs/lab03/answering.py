"""Answering: what is shown under a budget, what an answer claims, and when to say nothing."""

from __future__ import annotations

import itertools

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _budget_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("all fit", chunk_tokens=[10, 20], question_tokens=5, budget=50),
        Case("exactly full", chunk_tokens=[30, 15, 1], question_tokens=5, budget=50),
        Case("one is too long", chunk_tokens=[10, 60, 20], question_tokens=5, budget=50),
        Case("the first is too long", chunk_tokens=[100, 40, 30, 5], question_tokens=10, budget=60),
        Case("nothing fits", chunk_tokens=[40, 50], question_tokens=20, budget=30),
        Case("the question fills it", chunk_tokens=[1, 2], question_tokens=30, budget=30),
        Case("small ones would be more", chunk_tokens=[40, 10, 10, 10], question_tokens=0, budget=45),
        Case("nothing found", chunk_tokens=[], question_tokens=3, budget=10),
    ]
    return [*fixed, *(_drawn_budget(rng) for _ in range(10))]


def _drawn_budget(rng: np.random.Generator) -> Case:
    tokens = [int(n) for n in rng.integers(20, 120, int(rng.integers(5, 10)))]
    return Case(chunk_tokens=tokens, question_tokens=int(rng.integers(10, 40)), budget=int(rng.integers(150, 300)))


def _pack(chunk_tokens: list[int], question_tokens: int, budget: int) -> list[int]:
    """One decision after another, each asked of the whole prompt so far."""
    used: list[int] = []
    for n in range(len(chunk_tokens)):
        if question_tokens + sum(chunk_tokens[m] for m in [*used, n]) <= budget:
            used.append(n)
    return used


def _until_full(chunk_tokens: list[int], question_tokens: int, budget: int) -> list[int]:
    sums = itertools.accumulate(chunk_tokens, initial=question_tokens)
    return [n for n, total in enumerate(itertools.islice(sums, 1, None)) if total <= budget]


def _past_full(chunk_tokens: list[int], question_tokens: int, budget: int) -> list[int]:
    used, total = [], question_tokens
    for n, tokens in enumerate(chunk_tokens):
        if total >= budget:
            break
        used.append(n)
        total += tokens
    return used


def _shortest_first(chunk_tokens: list[int], question_tokens: int, budget: int) -> list[int]:
    used, total = [], question_tokens
    for n in sorted(range(len(chunk_tokens)), key=lambda n: chunk_tokens[n]):
        if total + chunk_tokens[n] <= budget:
            used.append(n)
            total += chunk_tokens[n]
    return sorted(used)


PACK = Exercise(
    name="pack",
    title="What fits into the prompt",
    difficulty=2,
    importance=4,
    minutes=6,
    cases=_budget_cases,
    judge=oracle_judge(
        _pack,
        (
            Misconception(
                _until_full,
                "you stopped at the first chunk that does not fit; a shorter one after it may",
            ),
            Misconception(
                _past_full,
                "you added the chunk that goes over the budget; look before you add",
            ),
            Misconception(
                lambda chunk_tokens, question_tokens, budget: _pack(chunk_tokens, 0, budget),
                "you forgot the question; it stands in the prompt too",
            ),
            Misconception(
                lambda chunk_tokens, question_tokens, budget: _pack(chunk_tokens, question_tokens, budget - 1),
                "a prompt of exactly the budget still fits",
            ),
            Misconception(
                _shortest_first,
                "you took the shortest first; the chunks come best first, and the best matter more than many",
            ),
            Misconception(
                lambda chunk_tokens, question_tokens, budget: [
                    n for n, tokens in enumerate(chunk_tokens) if question_tokens + tokens <= budget
                ],
                "you asked of every chunk whether it fits alone; they have to fit together",
            ),
            Misconception(
                lambda chunk_tokens, question_tokens, budget: [
                    chunk_tokens[n] for n in _pack(chunk_tokens, question_tokens, budget)
                ],
                "you returned the lengths; the numbers of the chunks are asked for",
            ),
        ),
    ),
    hints=(
        "Go through the chunks in their order and keep the number of tokens so far, the question's included.",
        "A chunk that would go over the budget is passed over, and the next one is tried.",
        "used, total = [], question_tokens; for n, tokens in enumerate(chunk_tokens): if total + tokens <= budget: used.append(n); total += tokens",
    ),
)


def _claim_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("right and shown", gold=["a"], said=["a"], shown=[["a"]]),
        Case("right out of its own head", gold=["a"], said=["a"], shown=[["b"]]),
        Case("wrong, but a chunk says so", gold=["a"], said=["x"], shown=[["a"], ["x"]]),
        Case("made up", gold=["a"], said=["y"], shown=[["a"]]),
        Case("one of each", gold=["a", "b", "c"], said=["a", "b", "x", "y"], shown=[["a"], ["x", "c"]]),
        Case("said twice", gold=["a", "b"], said=["y", "y", "a"], shown=[["a", "b"]]),
        Case("nothing shown", gold=["a"], said=["a", "y"], shown=[]),
    ]
    return [*fixed, *(_drawn_claims(rng) for _ in range(10))]


def _drawn_claims(rng: np.random.Generator) -> Case:
    claims = [f"c{n}" for n in range(12)]

    def some(least: int, most: int) -> list[str]:
        return [str(c) for c in rng.permutation(claims)[: int(rng.integers(least, most))]]

    said = some(4, 9)
    return Case(gold=some(3, 7), said=[*said, said[0]], shown=[some(1, 4) for _ in range(3)])


def _claims(gold: list[str], said: list[str], shown: list[list[str]]) -> tuple[float, float, float]:
    """Claim by claim, each once."""
    told = {claim for chunk in shown for claim in chunk}
    verdicts = [(claim in gold, claim in told) for claim in dict.fromkeys(said)]
    precision, faithfulness = (float(np.mean([v[n] for v in verdicts])) for n in (0, 1))
    return precision, faithfulness, float(np.mean([not any(v) for v in verdicts]))


def _share(part: set[str], whole: set[str]) -> float:
    return len(part) / len(whole)


def _told(shown: list[list[str]]) -> set[str]:
    return {claim for chunk in shown for claim in chunk}


def _claims_repeated(gold: list[str], said: list[str], shown: list[list[str]]) -> tuple[float, float, float]:
    told, count = _told(shown), len(said)
    right, held = (sum(claim in where for claim in said) / count for where in (gold, told))
    return right, held, sum(claim not in gold and claim not in told for claim in said) / count


CLAIMS = Exercise(
    name="judge_claims",
    title="True, faithful, made up",
    difficulty=3,
    importance=5,
    minutes=8,
    cases=_claim_cases,
    judge=oracle_judge(
        _claims,
        (
            Misconception(
                lambda gold, said, shown: (_claims(gold, said, shown)[0], *_minus(gold, said, shown, 0)),
                "you called everything false a hallucination; what a chunk says is repeated, however false",
            ),
            Misconception(
                lambda gold, said, shown: (_claims(gold, said, shown)[0], *_minus(gold, said, shown, 1)),
                "you called everything that no chunk says a hallucination; what is true all the same is knowledge of its own",
            ),
            Misconception(
                lambda gold, said, shown: (_share(set(said) & set(gold), set(gold)), *_claims(gold, said, shown)[1:]),
                "you divided by the true claims; that is recall, precision is a share of what was said",
            ),
            Misconception(
                lambda gold, said, shown: (
                    _claims(gold, said, shown)[0],
                    _share(set(said) & set(gold) & _told(shown), set(said)),
                    _claims(gold, said, shown)[2],
                ),
                "you counted as faithful only what is true; a false claim that a chunk states is faithful to it",
            ),
            Misconception(
                _claims_repeated,
                "you counted a claim as often as it is said; each counts once",
            ),
            Misconception(
                lambda gold, said, shown: _claims(gold, said, shown[:1]),
                "you looked at the first chunk alone; any chunk may state a claim",
            ),
            Misconception(
                lambda gold, said, shown: tuple(_claims(gold, said, shown)[n] for n in (1, 0, 2)),
                "the first two are swapped: precision asks the truth, faithfulness asks the chunks",
            ),
        ),
    ),
    hints=(
        "Make sets: of what was said, of the true claims, and of everything that any chunk states.",
        "All three are shares of what was said: in the truth; in the chunks; in neither.",
        "said, told = set(said), set().union(*shown); return len(said & set(gold)) / len(said), len(said & told) / len(said), len(said - set(gold) - told) / len(said)",
    ),
)


def _minus(gold: list[str], said: list[str], shown: list[list[str]], which: int) -> tuple[float, float]:
    """Faithfulness, and one minus precision (0) or faithfulness (1) in the place of hallucination."""
    found = _claims(gold, said, shown)
    return found[1], 1 - found[which]
