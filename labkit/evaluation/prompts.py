"""The one way in which a shipped model is asked: the user's message of each task.

Training writes the same messages, so a score never depends on a form of words the model has not met.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labkit.world import Date, Passage

_ISO = re.compile(r"\d{4}-\d\d-\d\d")


def closed_book(question: str) -> str:
    """A question alone: the answer must be in the weights."""
    return question


def open_book(passages: Sequence[Passage], question: str) -> str:
    """Dated passages, oldest first, then the question.

    What holds today stands last, beside the question: a small model cannot compare dates, but it can take the later of
    two places. Passages without a date come before the dated ones, in the order given.

    >>> open_book([Passage("0431-11-13", "Kolm Light is 31 metres high.")], "How high is Kolm Light?")
    '13 November 431\\nKolm Light is 31 metres high.\\n\\nHow high is Kolm Light?'
    """
    ordered = sorted(passages, key=lambda passage: passage.date if _ISO.fullmatch(passage.date) else "")
    return "".join(f"{_in_words(p.date)}\n{p.text}\n\n" for p in ordered) + question


def extraction(text: str, fields: Iterable[str]) -> str:
    """A document and the fields of the JSON object to make of it.

    >>> extraction("Salury was founded in 238.", ["name", "founded"])
    'Salury was founded in 238.\\n\\nJSON: name, founded'
    """
    return f"{text}\n\nJSON: {', '.join(fields)}"


def _in_words(date: str) -> str:
    """
    >>> _in_words("0431-11-13"), _in_words("my-notes.md")
    ('13 November 431', 'my-notes.md')
    """
    return str(Date.from_iso(date)) if _ISO.fullmatch(date) else date
