"""Text of strangers made fit to be shown: nothing that steers a terminal, turns the reading direction or hides."""

from __future__ import annotations

import unicodedata

_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi, zero width), surrogate, unassigned


def readable(text: object, longest: int = 400) -> str:
    """
    >>> readable("a\\x1b[2J\\u202eb\\n")
    'a�[2J�b'
    """
    kept = str(text)[:longest].strip()
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in _HARMFUL else "\N{REPLACEMENT CHARACTER}" for c in kept
    )
