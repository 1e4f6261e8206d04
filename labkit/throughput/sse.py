"""Server-sent events out of a stream of bytes (WHATWG HTML standard, section 9.2): the data of each event, in order.

Written here because lines must end at line feeds and carriage returns only. A splitter of text lines, as HTTP libraries
bring, also cuts at U+2028 and U+0085, which JSON may hold unescaped, and so tears an answer apart. No event may be
longer than a bound, so that a server that never ends a line cannot fill the client's memory.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator

LONGEST_EVENT = 1 << 20
"""Bytes. A token's chunk has some hundred; the largest are those with log-probabilities."""

_LINE_END = re.compile(rb"\r\n|\n|\r")


class MalformedStreamError(ValueError):
    """The bytes are no stream of events; the message says in a clause how."""


class EventParser:
    """Fed with bytes as they come, gives the data of the events that are complete.

    >>> parser = EventParser()
    >>> list(parser.feed(b": a comment\\r\\ndata: on")), list(parser.feed(b"e\\n\\ndata:two\\n\\n"))
    ([], ['one', 'two'])
    """

    def __init__(self, longest: int = LONGEST_EVENT) -> None:
        self._longest, self._pending, self._data, self._size = longest, b"", [], 0
        self._after_return = False

    def feed(self, received: bytes) -> Iterator[str]:
        """Raises `MalformedStreamError` for an event beyond the bound or bytes that are not UTF-8."""
        if self._after_return:  # a line feed right after belongs to the same line end
            received = received.removeprefix(b"\n")
        text, start = self._pending + received, 0
        self._after_return = text.endswith(b"\r")
        for end in _LINE_END.finditer(text):
            yield from self._line(text[start : end.start()])
            start = end.end()
        self._pending = text[start:]
        if self._size + len(self._pending) > self._longest:
            raise MalformedStreamError(f"an event is longer than {self._longest} bytes")

    def _line(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data, self._size = [], 0
            return
        name, _, value = line.partition(b":")
        self._size += len(line)
        if name == b"data":  # an empty name is a comment; event, id and retry say nothing of the answer
            self._data.append(_decoded(value.removeprefix(b" ")))


async def events(received: AsyncIterable[bytes], longest: int = LONGEST_EVENT) -> AsyncIterator[str]:
    """The data of each event of a response's body."""
    parser = EventParser(longest)
    async for part in received:
        for data in parser.feed(part):
            yield data


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedStreamError(f"an event is not UTF-8 ({error.reason} at byte {error.start})") from None
