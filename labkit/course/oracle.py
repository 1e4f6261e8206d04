"""The standard judge: compare with an oracle, and recognise the mistake when it is a known one.

A misconception is written as the function a mistaken learner would write. It is recognised when the learner's output is
what that function gives on the same case while the right value differs; no text of the learner's is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from labkit.course.compare import compare
from labkit.course.exercise import Case, Raised, Verdict
from labkit.course.wire import decode, encode

Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Misconception:
    """`wrong` is the mistaken function; `says` tells the learner, in the second person, what they did.

    A mistake that no function captures is a sign: `Misconception.seen(lambda case, output: ..., "you ...")`.
    """

    wrong: Function | None
    says: str
    sign: Callable[[Case, Any], bool] | None = None

    @classmethod
    def seen(cls, sign: Callable[[Case, Any], bool], says: str) -> Misconception:
        """Recognised when `sign(case, output)` is true of a wrong output; asked only about wrong ones."""
        return cls(None, says, sign)


@dataclasses.dataclass(frozen=True)
class OracleJudge:
    """See `oracle_judge`."""

    oracle: Function
    misconceptions: tuple[Misconception, ...]
    precision: str | None

    def __call__(self, case: Case, output: Any) -> Verdict:
        expected = _call(self.oracle, case)
        if isinstance(expected, Raised):
            raise ValueError(f"The oracle fails on {case!r:.200}: {expected}")
        if isinstance(output, Raised):
            return Verdict(str(output), expected, self._suspects(case, output, wrong=True))
        found = compare(expected, output, self.precision)
        problem = (
            "It returned None; is a `return` missing?" if output is None and expected is not None else found.problem
        )
        return Verdict(problem, expected, self._suspects(case, output, wrong=bool(problem)), found.notes)

    def _suspects(self, case: Case, output: Any, wrong: bool) -> tuple[str, ...]:
        return tuple(m.says for m in self.misconceptions if self._agrees(m, case, output, wrong))

    def _agrees(self, misconception: Misconception, case: Case, output: Any, wrong: bool) -> bool:
        if misconception.wrong is None:
            return not wrong or _holds(misconception.sign, case, output)
        mistaken = _call(misconception.wrong, case)
        if isinstance(mistaken, Raised) or isinstance(output, Raised):
            return type(mistaken) is type(output) and mistaken.type == output.type
        return not compare(mistaken, output, self.precision).problem


def oracle_judge(
    oracle: Function, misconceptions: tuple[Misconception, ...] = (), precision: str | None = None
) -> OracleJudge:
    """A judge that expects what `oracle(*arguments)` returns, in its type, shape and dtype.

    `precision` names the dtype whose tolerance holds, where it is not that of the value: `"float32"` for a Python float
    that comes out of float32 tensors.

    >>> judge = oracle_judge(lambda a, b: a / b, (Misconception(lambda a, b: b / a, "you divided the wrong way"),))
    >>> judge(Case(a=1.0, b=2.0), 2.0).suspects
    ('you divided the wrong way',)
    """
    return OracleJudge(oracle, misconceptions, precision)


def _call(function: Function, case: Case) -> Any:
    """The function on its own copy of the arguments; what it raises is a value too, as it is for the learner."""
    with np.errstate(all="ignore"):
        try:
            return function(*decode(encode(tuple(case.arguments.values()))))
        except Exception as error:
            return Raised(type(error).__name__, str(error))


def _holds(sign: Callable[[Case, Any], bool] | None, case: Case, output: Any) -> bool:
    try:
        return sign is not None and bool(sign(case, output))
    except Exception:  # a sign asks about the usual outputs; one of another type or shape does not show it
        return False
