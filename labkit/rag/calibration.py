"""Is a model's own likelihood a warning? Whether answers it gives 70 % are right seven times in ten, and whether the
wrong ones stand lower than the right ones.

The two are not the same: a model that is always far too sure is badly calibrated, and its likelihood still warns if
right answers get even more. Legend of shapes: `questions`, one confidence in [0, 1] and one outcome each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.evaluation.intervals import Estimate, share
from labkit.measure.report import Report, Table
from labkit.rag.outcomes import Values, checked_outcomes
from labkit.rag.resampling import bootstrap

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies in (low, high]: their mean confidence, and how many of them were right."""

    low: float
    high: float
    confidence: float
    right: Estimate


@dataclass(frozen=True)
class Calibration(Report):
    """The reliability table with its `error` (`expected_calibration_error`) and `warning` (`auroc`)."""

    bins: tuple[Bin, ...]
    error: Estimate
    warning: Estimate

    def table(self) -> Table:
        rows = [
            [f"{b.low:.1f} to {b.high:.1f}", b.right.count, f"{b.confidence:.1%}", f"{b.right.value:.1%}", _range(b)]
            for b in self.bins
        ]
        columns = ["confidence", "answers", "mean confidence", "right", "95 % interval"]
        note = f"Expected calibration error {self.error}; a right answer stands above a wrong one {self.warning}."
        return Table("Reliability of the model's own likelihood", columns, rows, note)


def calibration(confidence: Values, right: Values, bins: int = BINS) -> Calibration:
    """The reliability table of some answers, empty bins left out, with bootstrap intervals over the questions.

    Resampling adds noise of its own, and every deviation adds to the error: of a well calibrated model the interval
    reaches further above the value than below. Raises `ValueError` as `expected_calibration_error` does.
    """
    sure, outcomes = checked_outcomes(confidence, right)
    places = _bins(sure, bins)
    made = [
        _bin(number, bins, sure[places == number], outcomes[places == number]) for number in np.unique(places).tolist()
    ]
    error = bootstrap(lambda c, r: expected_calibration_error(c, r, bins), sure, outcomes)
    return Calibration(tuple(made), error, bootstrap(auroc, sure, outcomes))


def expected_calibration_error(confidence: Values, right: Values, bins: int = BINS) -> float:
    """The mean gap between confidence and share of right answers, over equal bins weighted by their answers.

    Naeini et al. (2015), as in Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599, equation 3).
    Raises `ValueError` for no answers, unequal numbers, or a confidence outside [0, 1].

    >>> round(expected_calibration_error([0.95, 0.95, 0.15, 0.15], [1, 0, 0, 0]), 3)  # gaps 0.45 and 0.15
    0.3
    """
    sure, outcomes = checked_outcomes(confidence, right)
    places = _bins(sure, bins)
    gaps = np.bincount(places, weights=sure - outcomes, minlength=bins)  # the sum of a bin is its gap times its answers
    return float(np.abs(gaps).sum() / len(sure))


def auroc(confidence: Values, right: Values) -> float:
    """The chance that a right answer has more confidence than a wrong one, ties counted half; 0.5 is no warning at all.

    The area under the ROC curve by Mann and Whitney's U (1947). NaN where all are right or all are wrong.

    >>> auroc([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0])
    0.875
    """
    sure, outcomes = checked_outcomes(confidence, right)
    good, bad = int(outcomes.sum()), int(len(outcomes) - outcomes.sum())
    if not good or not bad:
        return float("nan")
    _, places, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # of equal confidences each has their mean rank
    return float((ranks[outcomes == 1].sum() - good * (good + 1) / 2) / (good * bad))


def _bins(confidence: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each confidence: upper edges belong to their bin, and 0 to the first."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def _bin(number: int, bins: int, confidence: np.ndarray, right: np.ndarray) -> Bin:
    found = share(int(right.sum()), len(right))
    return Bin(number / bins, (number + 1) / bins, float(confidence.mean()), found)


def _range(one: Bin) -> str:
    return f"{one.right.low:.1%} to {one.right.high:.1%}"
