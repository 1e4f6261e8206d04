"""When to say nothing: a threshold on how sure an answer is, chosen from a curve.

How sure is the model's own probability, and 0 where something else already says that the answer cannot be right: the
model refuses by itself, or the question names what no document does (`labkit.rag.names`).

To abstain is a claim of its own, "this answer would be wrong", so it has a precision (the share of abstentions where it
would have been) and a recall (the share of would-be wrong answers that were held back). Choose the threshold on one set
of questions and judge it on another: on its own set it looks better than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.evaluation.intervals import Estimate, share
from labkit.measure.report import Report, Table
from labkit.rag.outcomes import Values, checked_outcomes


@dataclass(frozen=True)
class Point:
    """What abstaining below `threshold` gives; `abstained` is the share of all questions that get no answer."""

    threshold: float
    precision: float
    recall: float
    abstained: float


@dataclass(frozen=True)
class Abstention(Report):
    """One threshold judged, with 95 % intervals."""

    threshold: float
    precision: Estimate
    recall: Estimate
    abstained: Estimate

    def table(self) -> Table:
        named = {"precision": self.precision, "recall": self.recall, "no answer": self.abstained}
        rows = [
            [name, f"{e.value:.1%}", f"{e.low:.1%} to {e.high:.1%}", f"{round(e.value * e.count)} of {e.count}"]
            for name, e in named.items()
        ]
        return Table(f"Abstaining below {self.threshold:.3g}", ["measure", "value", "95 % interval", "questions"], rows)


def abstention_curve(confidence: Values, wrong: Values) -> tuple[Point, ...]:
    """A point for each threshold that makes a difference, from the fewest abstentions to all.

    `confidence` is 0 where the model itself says that it does not know; `wrong` tells whether the answer would have
    been, which every answer to an unanswerable question is. Raises `ValueError` for no questions, unequal numbers, a
    confidence outside [0, 1], or nothing that is wrong.

    >>> [(p.threshold, p.precision, p.recall) for p in abstention_curve([0.2, 0.9, 0.6], [True, False, False])][:2]
    [(0.6, 1.0, 1.0), (0.9, 0.5, 1.0)]
    """
    sure, missed = _checked(confidence, wrong)
    order = np.argsort(sure, kind="stable")
    sure, caught = sure[order], np.cumsum(missed[order])
    last = [n for n in range(len(sure)) if n + 1 == len(sure) or sure[n + 1] > sure[n]]
    above = [*sure[[n + 1 for n in last[:-1]]].tolist(), math.nextafter(sure[-1], math.inf)]
    return tuple(
        Point(float(threshold), float(caught[n] / (n + 1)), float(caught[n] / caught[-1]), (n + 1) / len(sure))
        for n, threshold in zip(last, above, strict=True)
    )


def choose_threshold(points: Sequence[Point], precision: float) -> Point:
    """The point of the largest recall among those of at least this precision; the lowest threshold of several.

    Raises `ValueError` saying the best precision there is where none reaches it.
    """
    good = [p for p in points if p.precision >= precision]
    if not good:
        best = max(p.precision for p in points)
        raise ValueError(f"No threshold abstains with a precision of {precision:.0%}; the best has {best:.0%}.")
    return max(good, key=lambda p: (p.recall, -p.threshold))


def judge_threshold(confidence: Values, wrong: Values, threshold: float) -> Abstention:
    """Precision, recall and share of abstaining where the confidence is below `threshold`.

    Raises `ValueError` as `abstention_curve` does, and where nothing lies below the threshold.
    """
    sure, missed = _checked(confidence, wrong)
    silent = sure < threshold
    if not silent.any():
        raise ValueError(f"No confidence lies below {threshold:.3g}: there is no abstention to judge.")
    caught = int((silent & missed).sum())
    return Abstention(
        threshold,
        precision=share(caught, int(silent.sum())),
        recall=share(caught, int(missed.sum())),
        abstained=share(int(silent.sum()), len(sure)),
    )


def _checked(confidence: Values, wrong: Values) -> tuple[np.ndarray, np.ndarray]:
    sure, missed = checked_outcomes(confidence, wrong)
    if not missed.any():
        raise ValueError("No answer is wrong, so there is nothing to hold back.")
    return sure, missed.astype(bool)
