"""Correct, wrong, not attempted: the three grades of SimpleQA (Wei et al., 2024, arXiv 2411.04368, section 3).

An accuracy alone rewards guessing. Here a model that says nothing is apart from one that says something false. For
questions that have an answer; how well the others are refused is a matter of `abstention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.evaluation.intervals import Estimate, share
from labkit.evaluation.scoring import abstains, exact_match
from labkit.measure.report import Report, Table

Attempt = Literal["correct", "wrong", "not attempted"]


def attempt(answer: str | None, accepted: Sequence[str]) -> Attempt:
    """The grade of one answer; None and "not known" are no attempts.

    >>> attempt("the Kolm Light", ["Kolm Light"]), attempt("Hesta", ["Kolm Light"]), attempt("Not known.", ["Hesta"])
    ('correct', 'wrong', 'not attempted')
    """
    if answer is None or not answer.strip() or abstains(answer):
        return "not attempted"
    return "correct" if exact_match(answer, accepted) else "wrong"


@dataclass(frozen=True)
class Attempts(Report):
    """How many answers got each grade.

    >>> Attempts(correct=30, wrong=10, not_attempted=60).f_score  # 2 / (1 / 0.3 + 1 / 0.75)
    0.42857142857142855
    """

    correct: int
    wrong: int
    not_attempted: int

    @classmethod
    def of(cls, grades: Sequence[Attempt]) -> Attempts:
        return cls(grades.count("correct"), grades.count("wrong"), grades.count("not attempted"))

    @property
    def count(self) -> int:
        return self.correct + self.wrong + self.not_attempted

    @property
    def correct_given_attempted(self) -> float:
        """NaN where nothing was attempted."""
        tried = self.correct + self.wrong
        return self.correct / tried if tried else float("nan")

    @property
    def f_score(self) -> float:
        """The harmonic mean of the share correct and the share correct of what was attempted; 0 without a correct one.

        Raises `ValueError` for no answers.
        """
        if not self.count:
            raise ValueError("No answers have no score.")
        return 2 * self.correct / (self.count + self.correct + self.wrong)

    def estimate(self, grade: Attempt) -> Estimate:
        """The share of answers of this grade, with Wilson's interval."""
        return share({"correct": self.correct, "wrong": self.wrong}.get(grade, self.not_attempted), self.count)

    def table(self) -> Table:
        rows = []
        for grade in ("correct", "wrong", "not attempted"):
            found = self.estimate(grade)
            rows.append([grade, f"{found.value:.1%}", f"{found.low:.1%} to {found.high:.1%}"])
        note = (
            f"{self.count} answers; correct given attempted {self.correct_given_attempted:.1%}, F {self.f_score:.3f}."
        )
        return Table("Answers by grade", ["grade", "share", "95 % interval"], rows, note)
