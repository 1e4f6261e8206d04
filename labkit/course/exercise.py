"""What an exercise, a case and a prediction are: the nouns a lab's check module is written in.

An exercise's check is two pure halves. `cases(rng)` draws inputs as plain data; `judge(case, output)` compares an
output, again plain data, with an oracle that is independent of the solution. Neither half sees the learner's
function.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, init=False)
class Case:
    """One input: its arguments by name, in the order of the function's parameters, as plain data.

    >>> Case("one row", rows=1, columns=4)
    Case('one row', rows=1, columns=4)
    """

    label: str
    arguments: dict[str, Any]

    def __init__(self, label: str = "", /, **arguments: Any) -> None:
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "arguments", arguments)

    def __repr__(self) -> str:
        given = [repr(self.label)] if self.label else []
        return f"Case({', '.join([*given, *(f'{name}={value!r}' for name, value in self.arguments.items())])})"

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]


@dataclasses.dataclass(frozen=True)
class Raised:
    """The learner's function raised instead of returning: the exception's type, its message and the line it came
    from.
    """

    type: str
    message: str = ""
    line: str = ""

    def __str__(self) -> str:
        told = f"{self.type}: {self.message}" if self.message else self.type
        return f"It raised {told}" + (f" at `{self.line}`." if self.line else ".")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a judge says of one output.

    `problem` is one sentence, empty when the output is right. `expected` is shown beside the learner's own value.
    `suspects` are the diagnoses that agree with this output, whether right or wrong: a diagnosis is only told when
    every failing case agrees with it, and preferred when the passing ones do too. `notes` are conversions made.
    """

    problem: str = ""
    expected: Any = None
    suspects: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problem


def _nothing() -> str:
    return ""


@dataclasses.dataclass(frozen=True)
class Timing:
    """Speed as part of an exercise, asked by the grader once the answers are right, never by the notebook.

    The learner's function and the notebook's solution are called in turn, `pairs` times, on one core of one machine;
    the median of the ratios of their times may be `at_most`. No number of seconds is asked anywhere.

    `work(rng)` draws one input, on which the solution should compute for much longer than its arguments and its result
    take to be encoded (the two crossings are timed too and pull every ratio towards 1). `lacking()` says which
    hardware that is needed is not here, and "" where it is.
    """

    work: Callable[[np.random.Generator], Case]
    at_most: float
    pairs: int = 9
    lacking: Callable[[], str] = _nothing

    def __post_init__(self) -> None:
        if not 0 < self.at_most < math.inf:
            raise ValueError(f"A ratio of times is above 0, not {self.at_most}.")
        if self.pairs < 3 or self.pairs % 2 == 0:
            raise ValueError(f"A median needs an odd number of pairs, 3 or more, not {self.pairs}.")


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One exercise; `name` is the name of the learner's function, by which it is found.

    `difficulty` and `importance` run from 1 to 5, `minutes` is for a learner who has followed the lab so far,
    `hints` are three: where to look, which operation, pseudocode. `seconds` bounds all cases together (at most 8).
    `timing` is there where the grader is to ask for speed as well.
    """

    name: str
    cases: Callable[[np.random.Generator], list[Case]]
    judge: Callable[[Case, Any], Verdict]
    hints: tuple[str, str, str]
    difficulty: int
    importance: int
    minutes: int
    title: str = ""
    seconds: float = 6.0
    timing: Timing | None = None

    def __post_init__(self) -> None:
        def require(fine: bool, what: str) -> None:
            if not fine:
                raise ValueError(f"Exercise {self.name!r}: {what}")

        require(self.name.isidentifier(), "the name must be that of a function.")
        require(len(self.hints) == 3 and all(map(str.strip, self.hints)), "three hints are needed.")
        require(self.difficulty in range(1, 6), f"difficulty is 1 to 5, not {self.difficulty}.")
        require(self.importance in range(1, 6), f"importance is 1 to 5, not {self.importance}.")
        require(self.minutes > 0, f"minutes must be above 0, not {self.minutes}.")
        require(0 < self.seconds <= 8, f"seconds must be above 0 and at most 8, not {self.seconds}.")


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A number the learner commits to before measuring it. `unit` may be "" for a ratio; the value is always above
    0.
    """

    name: str
    question: str
    unit: str = ""

    def show(self, value: float) -> str:
        """
        >>> Prediction("decode", "How fast does it decode?", "tok/s").show(52.04)
        '52 tok/s'
        """
        digits = 3 if value >= 0.001 else 2
        text = f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"
        return f"{text} {self.unit}".rstrip()


def off_by(predicted: float, measured: float) -> float:
    """The factor between the two, never below 1; its logarithm is the log-error.

    >>> off_by(120, 52) == off_by(52, 120)
    True
    """
    return math.exp(abs(math.log(predicted / measured)))
