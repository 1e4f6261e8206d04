"""Names that no document says: what a corpus has never read about, it cannot tell.

A model answers for a town that does not exist as it does for any other, and its likelihood need not show it. The
corpus does: where no document holds the name, no passage can hold the answer, and that costs one look-up a word.

A name is told by its capital, so only a capital that means something counts: not that of the word which opens a
sentence ("Which", but "Stravhuss was founded when?" is missed too), not "I", and none at all where every word has one.
The look-up is of single words whatever their case: Hesta Norett counts as seen where Hesta Vonli and Belo Norett are.
All of this errs towards letting a question pass. It errs the other way where a document uses another form of the word
("graphics cards" for a GPU, or a German noun in another case): then the learner reads which word is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_ENDS = re.compile(r"[.?!:\n]")


def capitalised(question: str) -> tuple[str, ...]:
    """The words of a question whose capital makes them part of a name, each once.

    >>> capitalised("In which year was Kolm Light built? And who keeps the Kolm Light's oil, as I asked?")
    ('Kolm', 'Light')
    >>> capitalised("WHO KEEPS KOLM LIGHT?")
    ()
    """
    places = list(_WORD.finditer(question))
    if not any(place[0].islower() for place in places):
        return ()
    ends = [0, *(place.end() for place in places)]
    names = [
        place[0]
        for n, place in enumerate(places)
        if n and place[0][0].isupper() and len(place[0]) > 1
        if not _SENTENCE_ENDS.search(question[ends[n] : place.start()])
    ]
    return tuple(dict.fromkeys(names))


def unseen_names(question: str, seen: Callable[[str], bool]) -> tuple[str, ...]:
    """The parts of names in a question that a corpus has never `seen`; it is asked for each in lower case.

    >>> unseen_names("Who keeps Kolm Light?", {"light", "who"}.__contains__)
    ('Kolm',)
    """
    return tuple(name for name in capitalised(question) if not seen(name.lower()))
