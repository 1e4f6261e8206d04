"""A small text grammar: alternatives in brackets, slots in braces, and where each slot ended up.

`[high|tall]` is a choice, `[|very ]` an optional word, brackets nest. `{S}` is a slot, `{S's}` its possessive, `{a:O}`
the slot with "a" or "an" before it. Not a parser of natural language: it only writes.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

_SLOT = re.compile(r"\{(a:)?(\w+)('s)?\}")
_POSSESSIVE_PRONOUNS = {"it": "its", "she": "her", "he": "his"}


class Mark(NamedTuple):
    """Characters `start:end` of a text that fill `slot`; `tag` says for whom (a fact), or is None."""

    tag: Any
    slot: str
    start: int
    end: int


class Marked(NamedTuple):
    """A text and the places of its slots."""

    text: str
    marks: tuple[Mark, ...] = ()

    def capitalized(self) -> Marked:
        return Marked(self.text[:1].upper() + self.text[1:], self.marks)


@functools.cache
def expansions(template: str) -> tuple[str, ...]:
    """Every pattern that a template can become, in the order written.

    >>> expansions("{S} is [|very ][high|tall]")
    ('{S} is high', '{S} is tall', '{S} is very high', '{S} is very tall')
    """
    patterns = [""]
    for piece in _parse(template):
        options = (piece,) if isinstance(piece, str) else [e for option in piece for e in expansions(option)]
        patterns = [p + o for p in patterns for o in options]
    return tuple(patterns)


def choose(template: str, rng: random.Random) -> str:
    """One pattern of the template, each bracket drawn on its own.

    >>> choose("[a|a] [b|b]", random.Random(0))
    'a b'
    """
    return "".join(p if isinstance(p, str) else choose(rng.choice(p), rng) for p in _parse(template))


def fill(pattern: str, slots: Mapping[str, str | Marked], tag: Any = None) -> Marked:
    """`pattern` with its slots filled; text slots are marked with `tag`, marked slots keep their own marks.

    >>> fill("{S's} keeper is {a:O}", {"S": "Dunn Works", "O": "organist"}).text
    "Dunn Works' keeper is an organist"
    """
    parts: list[Marked] = []
    position = 0
    for match in _SLOT.finditer(pattern):
        parts.append(Marked(pattern[position : match.start()]))
        article, slot, possessive = match.groups()
        value = slots[slot]
        marked = value if isinstance(value, Marked) else Marked(value, (Mark(tag, slot, 0, len(value)),))
        if article:
            parts.append(Marked("an " if marked.text[0] in "aeiou" else "a "))
        parts.extend(_possessive(marked) if possessive else [marked])
        position = match.end()
    parts.append(Marked(pattern[position:]))
    return join(parts)


def join(parts: Iterable[Marked], separator: str = "") -> Marked:
    """Texts put together, marks moved along."""
    text, marks = "", []
    for i, part in enumerate(parts):
        text += separator if i else ""
        marks += [m._replace(start=m.start + len(text), end=m.end + len(text)) for m in part.marks]
        text += part.text
    return Marked(text, tuple(marks))


def _possessive(marked: Marked) -> list[Marked]:
    pronoun = _POSSESSIVE_PRONOUNS.get(marked.text.lower())
    if pronoun:
        return [Marked(pronoun, tuple(m._replace(end=len(pronoun)) for m in marked.marks))]
    return [marked, Marked("'" if marked.text.endswith("s") else "'s")]


@functools.cache
def _parse(template: str) -> Sequence[str | tuple[str, ...]]:
    """Literal pieces, and a tuple of options for each bracket on the outer level."""
    pieces: list[str | tuple[str, ...]] = []
    literal, depth, options = "", 0, [""]
    for character in template:
        if character == "[" and depth == 0:
            pieces.append(literal)
            literal, depth, options = "", 1, [""]
        elif character == "]" and depth == 1:
            pieces.append(tuple(options))
            depth = 0
        elif character == "|" and depth == 1:
            options.append("")
        elif depth == 0:
            literal += character
        else:
            depth += (character == "[") - (character == "]")
            options[-1] += character
    if depth:
        raise ValueError(f"A bracket is never closed in the template {template!r}")
    return (*pieces, literal)
