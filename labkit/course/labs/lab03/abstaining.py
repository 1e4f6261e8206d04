"""When to say nothing: a threshold on the model's own probability."""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _threshold_cases(rng: np.random.Generator) -> list[Case]:
    half = [0.25, 0.5, 0.75, 1.0]
    fixed = [
        Case("clear", confidence=[0.1, 0.9], wrong=[True, False], thresholds=half, precision=0.8),
        Case("not below", confidence=[0.5, 0.9], wrong=[True, False], thresholds=[0.5, 0.75], precision=0.8),
        Case("none is good enough", confidence=[0.1, 0.9], wrong=[False, True], thresholds=half, precision=0.8),
        Case("nothing below", confidence=[0.7, 0.9], wrong=[True, False], thresholds=[0.2, 0.6], precision=0.5),
        Case(
            "exactly the precision",
            confidence=[0.1, 0.3, 0.6, 0.7, 0.9],
            wrong=[True, False, True, False, False],
            thresholds=[0.25, 0.5, 0.65, 0.95],
            precision=2 / 3,
        ),
        Case(
            "bad in between",
            confidence=[0.1, 0.2, 0.3, 0.6, 0.65, 0.7, 0.9],
            wrong=[True, False, False, True, True, True, False],
            thresholds=[0.15, 0.35, 0.8],
            precision=0.6,
        ),
        Case(
            "the same wrong ones",
            confidence=[0.1, 0.2, 0.3, 0.6, 0.9],
            wrong=[True, True, True, False, False],
            thresholds=[0.25, 0.4, 0.7],
            precision=0.7,
        ),
    ]
    return [*fixed, *(_drawn_answers(rng) for _ in range(10))]


def _drawn_answers(rng: np.random.Generator) -> Case:
    sure = np.round(rng.beta(1.2, 1.0, int(rng.integers(15, 30))), 2)
    wrong = rng.uniform(size=len(sure)) > sure
    wrong[0] = True
    thresholds = [float(t) for t in np.round(np.arange(0.1, 1.01, 0.1), 1)]
    precision = float(rng.choice([0.6, 0.7, 0.8]))
    return Case(confidence=sure.tolist(), wrong=wrong.tolist(), thresholds=thresholds, precision=precision)


def _held_back(confidence: list[float], wrong: list[bool], threshold: float) -> tuple[int, int]:
    """How many are held back, and how many of these are wrong."""
    silent = [w for c, w in zip(confidence, wrong, strict=True) if c < threshold]
    return len(silent), sum(silent)


def _choose(confidence: list[float], wrong: list[bool], thresholds: list[float], precision: float) -> float | None:
    """The best by a sort: most wrong ones first, then the lowest."""
    good = []
    for t in thresholds:
        held, caught = _held_back(confidence, wrong, t)
        if held and caught / held >= precision:
            good.append((-caught, t))
    return min(good)[1] if good else None


def _chosen_by(fine, best=max):
    """Among the thresholds that are `fine(held, caught, all, wrong, precision)`, the `best` by the wrong held back."""

    def choose(confidence, wrong, thresholds, precision):
        found = []
        for t in thresholds:
            held, caught = _held_back(confidence, wrong, t)
            if fine(held, caught, len(wrong), sum(wrong), precision):
                found.append((caught, -t))
        return -best(found)[1] if found else None

    return choose


def _at_or_below(confidence: list[float], wrong: list[bool], thresholds: list[float], precision: float) -> float | None:
    above = {float(np.nextafter(t, 2)): t for t in thresholds}
    chosen = _choose(confidence, wrong, list(above), precision)
    return None if chosen is None else above[chosen]


def _largest(confidence: list[float], wrong: list[bool], thresholds: list[float], precision: float) -> float | None:
    fine = [t for t in thresholds if (h := _held_back(confidence, wrong, t))[0] and h[1] / h[0] >= precision]
    return max(fine, default=None)


def _first(confidence: list[float], wrong: list[bool], thresholds: list[float], precision: float) -> float | None:
    fine = [t for t in thresholds if (h := _held_back(confidence, wrong, t))[0] and h[1] / h[0] >= precision]
    return min(fine, default=None)


def _while_good(confidence: list[float], wrong: list[bool], thresholds: list[float], precision: float) -> float | None:
    best, most = None, -1
    for t in thresholds:
        held, caught = _held_back(confidence, wrong, t)
        if held and caught / held < precision:
            break
        if held and caught > most:
            best, most = t, caught
    return best


THRESHOLD = Exercise(
    name="choose_threshold",
    title="When to say nothing",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_threshold_cases,
    judge=oracle_judge(
        _choose,
        (
            Misconception(
                _largest,
                "you took the highest threshold that is precise enough; one that holds back no more wrong answers only costs right ones",
            ),
            Misconception(
                _first,
                "you took the first threshold that is precise enough; a later one may hold back more wrong answers",
            ),
            Misconception(
                _while_good,
                "you stopped at the first threshold that is not precise enough; precision goes up and down, so look at all",
            ),
            Misconception(
                _at_or_below,
                "you held back what lies exactly at the threshold; only what lies below it",
            ),
            Misconception(
                _chosen_by(lambda held, caught, count, wrong, p: held == 0 or caught / held >= p),
                "you let a threshold count that holds nothing back; no abstention has no precision",
            ),
            Misconception(
                _chosen_by(
                    lambda held, caught, count, wrong, p: held < count and 1 - (wrong - caught) / (count - held) >= p
                ),
                "you asked how many of the answers given are right; the precision of holding back is asked for",
            ),
            Misconception(
                _chosen_by(lambda held, caught, count, wrong, p: caught / wrong >= p),
                "you asked which share of the wrong answers is held back; that is recall, the precision has to reach the mark",
            ),
            Misconception(
                _chosen_by(lambda held, caught, count, wrong, p: held > 0 and caught / held > p),
                "a precision of exactly the mark is enough",
            ),
        ),
    ),
    hints=(
        "For one threshold: which answers are held back, and which of these are wrong?",
        "Precision is wrong ones held back over all held back. Keep the thresholds that reach the mark, then compare the wrong ones that they hold back.",
        "best, most = None, -1; for t in thresholds (lowest first): held = [w for c, w in zip(confidence, wrong) if c < t]; if held and sum(held) / len(held) >= precision and sum(held) > most: best, most = t, sum(held)",
    ),
)
