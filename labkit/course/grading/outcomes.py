"""Reads what a sandbox handed in. It may have been forged by the code that ran there, so only three things count: of
which kind an outcome says it is, the plain value, and the type and message of an exception. All other words are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from labkit.course.exercise import Raised
from labkit.course.grading.inside.answer import MOST_BYTES_OF_A_VALUE
from labkit.course.grading.plaintext import readable
from labkit.course.probe import Outcome
from labkit.course.wire import decode

_TOLD = {
    "not started": "The function still raises NotImplementedError.",
    "timeout": "It was still running when its time was over: is there a loop without end?",
    "exited": "It tried to leave Python (`exit`, `quit` or `sys.exit`) instead of returning.",
    "interrupted": "It interrupted itself instead of returning.",
    "not plain": "It returned something other than a number, text, list, tuple, dict, array or tensor.",
    "mutated": "It changed one of its arguments in place; work on a copy of it.",
}
_OWN_WORDS_KEPT = {"exited", "not plain", "mutated"}  # they name the argument or the type
_STOPS = {"not started", "timeout", "exited", "interrupted"}


def read_outcomes(handed_in: Sequence[bytes], cases: int) -> list[Outcome]:
    """One outcome a case, in order; fewer when asking stopped early. `ValueError` when they are damaged or too few."""
    outcomes = [_outcome(text) for text in handed_in[:cases]]
    is_complete = len(outcomes) == cases or (outcomes and outcomes[-1].kind in _STOPS)
    if not is_complete:
        raise ValueError(f"{len(outcomes)} answers for {cases} cases")
    return outcomes


def _outcome(text: bytes) -> Outcome:
    try:
        tree = decode(text.decode(), MOST_BYTES_OF_A_VALUE + (1 << 20))
        kind, value, raised, told, printed = tree
    except Exception as error:  # whatever a forged text makes the reader raise, it is the text that is wrong
        raise ValueError(f"an answer that is no outcome ({type(error).__name__})") from None
    printed = readable(printed, 2000) if type(printed) is str else ""
    if kind == "returned":
        return Outcome("returned", value, printed=printed)
    if kind == "raised" and _is_raised(raised):
        return Outcome("raised", raised=Raised(*(readable(part, 200) for part in raised)), printed=printed)
    if type(kind) is not str or kind not in _TOLD:
        raise ValueError("an answer of no known kind")
    own = readable(told) if kind in _OWN_WORDS_KEPT and type(told) is str else ""
    return Outcome(kind, told=own or _TOLD[kind], printed=printed)


def _is_raised(raised: Any) -> bool:
    return type(raised) is tuple and len(raised) == 3 and all(type(part) is str for part in raised)


def limits_seconds(seconds: float) -> tuple[int, float]:
    """CPU and wall seconds of one question for an exercise that may take `seconds` in the notebook.

    Twice the notebook's own time, so that nobody who passed there is stopped by a busy grading machine.
    """
    return math.ceil(2 * seconds) + 2, 2 * seconds + 5
