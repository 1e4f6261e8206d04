"""One question to the learner's function: arguments as plain data in, an `Outcome` as plain data out.

It holds no oracle and no expected value, so that the grader may run it in a process of its own.
"""

from __future__ import annotations

import dataclasses
import linecache
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

from labkit.course.capture import captured
from labkit.course.describe import describe_type, is_array
from labkit.course.exercise import Raised
from labkit.course.timelimit import TimeLimit, TimeUp
from labkit.course.wire import NotPlainError, decode, encode

Kind = Literal["returned", "raised", "not started", "timeout", "exited", "interrupted", "not plain", "mutated"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`value` when it returned, `raised` when it raised, otherwise `told`: one sentence about what happened instead."""

    kind: Kind
    value: Any = None
    raised: Raised | None = None
    told: str = ""
    printed: str = ""

    def to_plain(self) -> tuple:
        """As a tuple that `wire.encode` takes."""
        raised = dataclasses.astuple(self.raised) if self.raised else None
        return self.kind, self.value, raised, self.told, self.printed


def probe(function: Callable[..., Any], arguments: dict[str, Any], seconds: float) -> Outcome:
    """Call `function` on a fresh copy of `arguments` for at most `seconds`; whatever it does comes back as an
    outcome.
    """
    before = {name: encode(value) for name, value in arguments.items()}
    given = {name: decode(text) for name, text in before.items()}
    limit = TimeLimit(seconds)
    recursion_limit = sys.getrecursionlimit()
    with captured() as printed:
        try:
            outcome = Outcome("returned", limit.run(function, *given.values()))
        except BaseException as error:
            outcome = _outcome_of(error, function, seconds)
        finally:
            sys.setrecursionlimit(recursion_limit)
    if limit.expired:
        outcome = _timeout(seconds)
    if outcome.kind == "returned":
        outcome = _checked(outcome.value, given, before)
    return dataclasses.replace(outcome, printed=printed.text())


def _outcome_of(error: BaseException, function: Callable[..., Any], seconds: float) -> Outcome:
    if isinstance(error, TimeUp):
        return _timeout(seconds)
    if isinstance(error, NotImplementedError):
        return Outcome("not started", told="The function still raises NotImplementedError.")
    if isinstance(error, KeyboardInterrupt):
        return Outcome("interrupted", told="You interrupted the check; run the cell again to repeat it.")
    if isinstance(error, SystemExit | GeneratorExit):
        return Outcome("exited", told="It tried to leave Python (`exit`, `quit` or `sys.exit`) instead of returning.")
    return Outcome("raised", raised=Raised(type(error).__name__, _message(error), _line(error, function)))


def _timeout(seconds: float) -> Outcome:
    return Outcome(
        "timeout", told=f"It was still running after {seconds:.2g} s and was stopped: is there a loop without end?"
    )


def _checked(value: Any, given: dict[str, Any], before: dict[str, str]) -> Outcome:
    for name, text in before.items():
        if _encoded(given[name]) != text:
            return Outcome("mutated", told=f"It changed its argument `{name}` in place; work on a copy of it.")
    try:
        return Outcome("returned", decode(encode(value)))
    except NotPlainError as error:
        return Outcome("not plain", told=_not_plain(value, error))


def _encoded(value: Any) -> str:
    try:
        return encode(value)
    except NotPlainError:
        return ""


def _not_plain(value: Any, error: NotPlainError) -> str:
    if type(value) in (list, tuple, dict, str, bytes, int) or is_array(value):
        return f"It returned {describe_type(value)} that cannot be checked. {error}"
    return f"It returned {describe_type(value)}, where a number, text, list, tuple, dict, array or tensor is expected."


def _message(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    try:
        return str(error).strip().split("\n")[0][:200]
    except Exception:  # a learner's own exception class may fail to print
        return ""


def _line(error: BaseException, function: Callable[..., Any]) -> str:
    """The text of the innermost line that stands in the same file or cell as the function."""
    home = getattr(getattr(function, "__code__", None), "co_filename", None)
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_code.co_filename == home:
            return linecache.getline(home, number).strip()[:120]
    return ""
