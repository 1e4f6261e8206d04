"""The leak scan: does any line of a solution stand in an edition that must not hold it?

Everything textual is searched: sources, outputs in each of their forms, attachments, metadata. Lines are compared
without white space and comments, so re-indented or re-spaced code is found too. A line that says nothing about the
solution (`else:`, `return x`) may stand elsewhere; two such lines in a row may not.
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Any

from labkit.course.notebook import regions

_TELLS_NOTHING = re.compile(
    r"(return\w*|else:|try:|finally:|pass|break|continue|\.\.\.|[)\]}]+,?|import[\w.]+|from[\w.]+import[\w,*]+"
    r"|except\w*:|for\w+in\w+:|\w+=[-\w.]+)"
)
_SHORTEST = 7
_TAG = re.compile(r"<[^>]*>")


def leaks(solved: dict[str, Any], edition: dict[str, Any]) -> list[str]:
    """The solution lines of `solved` that stand in `edition`, each with the place where it was found."""
    places = [(place, _squeezed(text)) for place, text in _texts(edition, "notebook")]
    found = []
    for block in _solutions(solved):
        for shown, needle in _needles(block):
            found += [f"{shown!r} stands in {place}" for place, text in places if needle in text]
    return list(dict.fromkeys(found))


def _solutions(notebook: dict[str, Any]) -> Iterator[list[str]]:
    for cell in notebook["cells"]:
        for name in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            for region in regions(cell["source"], name):
                lines = region.lines(cell["source"])
                yield [line for line in (_code(lines) if cell["cell_type"] == "code" else lines) if line.strip()]


def _needles(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each telling line by itself, and each pair of neighbours of which one tells nothing alone."""
    squeezed = [_squeezed(line) for line in lines]
    telling = [len(line) >= _SHORTEST and not _TELLS_NOTHING.fullmatch(line) for line in squeezed]
    for index, line in enumerate(squeezed):
        if telling[index]:
            yield lines[index].strip(), line
        elif index + 1 < len(lines) and not telling[index + 1]:
            yield f"{lines[index].strip()} / {lines[index + 1].strip()}", line + squeezed[index + 1]


def _code(lines: list[str]) -> list[str]:
    """The lines without their comments; a `#` inside a string stays."""
    source = "\n".join(lines)
    kept = list(lines)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, IndentationError):
        return kept
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            kept[row - 1] = lines[row - 1][:column]
    return kept


def _texts(node: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield place, node
        if "<" in node or "&" in node:
            yield place, html.unescape(_TAG.sub("", node))
        yield from ((place, text) for text in _decoded(node))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{place}.{key}")
    elif isinstance(node, list):
        if node and all(isinstance(item, str) for item in node):
            yield place, "".join(node)
        for index, value in enumerate(node):
            yield from _texts(value, f"{place}[{index}]")


def _decoded(text: str) -> Iterator[str]:
    """Attachments are base64; one that holds text (SVG, a file) is searched as text."""
    if len(text) < 16 or (len(text) % 4 and "\n" not in text):
        return
    try:
        yield base64.b64decode(text.replace("\n", ""), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return


def _squeezed(text: str) -> str:
    return "".join(text.split())
