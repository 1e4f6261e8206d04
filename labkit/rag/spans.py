"""Places in a text as `(start, end)` in characters: its words, its tokens, its sentences, its blocks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
Units = Callable[[str], Sequence[Span]]
"""Cuts a text into the units in which the size of a chunk is given."""

LONGEST = 200
"""Characters after which a word is cut: what goes on longer is no word but data."""

_WORD = re.compile(rf"\S{{1,{LONGEST}}}")
_LINE = re.compile(r"[^\n]+")
_INITIAL = r"(?<!\b[A-Z])(?<!\b[A-Z][a-z])"
"""Not after the one or two letters of a shortened name, as in K. Toripelo."""
_END = re.compile(rf"(?:[!?]|{_INITIAL}\.)[\"')\]]*(?=\s+[^a-z\s]|\s*$)")
_FENCE = re.compile(r"^(```|~~~).*?(?:^\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)


def word_spans(text: str) -> list[Span]:
    """Runs of characters between white space, cut after `LONGEST` of them.

    >>> word_spans("two words")
    [(0, 3), (4, 9)]
    """
    return [m.span() for m in _WORD.finditer(text)]


def token_spans(tokenizer: PreTrainedTokenizerBase) -> Units:
    """Units that are the tokens of a tokenizer, each with the white space that belongs to it."""

    def spans(text: str) -> list[Span]:
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        return [(start, end) for start, end in found if start < end]

    return spans


def sentence_spans(text: str) -> list[Span]:
    """Sentences: they end with a line, or with . ! or ? before white space and no small letter.

    >>> text = "It opened in 31. Who knows? Ask\\nthe clerk"
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['It opened in 31.', 'Who knows?', 'Ask', 'the clerk']
    """
    found: list[Span] = []
    for line in _LINE.finditer(text):
        edges = [0, *(m.end() for m in _END.finditer(line.group())), len(line.group())]
        found += [(line.start() + a, line.start() + b) for a, b in itertools.pairwise(edges)]
    return [trimmed for span in found if (trimmed := trim(text, span))]


def block_spans(text: str) -> list[Span]:
    """What blank lines part, as in Markdown: a heading is a block of its own, a fenced piece of code stays whole.

    >>> text = "# Mill\\nBuilt in 31.\\n\\n```\\na = 1\\n\\nb = 2\\n```"
    >>> [text[start:end] for start, end in block_spans(text)]
    ['# Mill', 'Built in 31.', '```\\na = 1\\n\\nb = 2\\n```']
    """
    found: list[Span] = []
    position = 0
    for fence in _FENCE.finditer(text):
        found += _prose(text, position, fence.start())
        found.append(fence.span())
        position = fence.end()
    found += _prose(text, position, len(text))
    return [trimmed for span in found if (trimmed := trim(text, span))]


def is_heading(block: str) -> bool:
    return _HEADING.fullmatch(block) is not None


def trim(text: str, span: Span) -> Span | None:
    """The span without white space at its ends; None if nothing is left.

    >>> trim(" a ", (0, 3)), trim(" a ", (0, 1))
    ((1, 2), None)
    """
    start, end = span
    inner = text[start:end]
    if not inner.strip():
        return None
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())


def _prose(text: str, start: int, end: int) -> list[Span]:
    """Paragraphs and headings of `text[start:end]`."""
    edges = {start, end}
    for pattern in (_BLANK, _HEADING):
        edges.update(edge for m in pattern.finditer(text, start, end) for edge in m.span())
    ordered = sorted(edges)
    return list(itertools.pairwise(ordered))
