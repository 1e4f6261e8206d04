"""Length-prefixed messages over a pipe, read with a bound and a deadline: the other end may be hostile."""

from __future__ import annotations

import os
import select
import time

_PREFIX = 8
_CHUNK = 1 << 20


class BrokenFrameError(EOFError):
    """The other end closed, was too slow, or announced more than was allowed."""


def write_frame(descriptor: int, content: bytes | memoryview) -> None:
    """All of `content`, however often the pipe is full; `BrokenPipeError` when nobody reads."""
    _write_all(descriptor, len(content).to_bytes(_PREFIX, "big"))
    _write_all(descriptor, content)


def read_frame(descriptor: int, most: int, deadline: float | None = None) -> bytes:
    """The next message of at most `most` bytes; `deadline` in the seconds of `time.monotonic`."""
    size = int.from_bytes(_read_exactly(descriptor, _PREFIX, deadline), "big")
    if size > most:
        raise BrokenFrameError(f"a message of {size} bytes, where {most} are allowed")
    return _read_exactly(descriptor, size, deadline)


def split_frames(stream: bytes) -> list[bytes]:
    """The complete messages at the start of `stream`; what is damaged or cut off behind them is left out."""
    found, at = [], 0
    while at + _PREFIX <= len(stream):
        size = int.from_bytes(stream[at : at + _PREFIX], "big")
        at += _PREFIX
        if size > len(stream) - at:
            break
        found.append(stream[at : at + size])
        at += size
    return found


def count_frames(stream: bytes | bytearray, most: int) -> int:
    """How many complete messages, up to `most`, stand at the start of `stream`; it copies none of them."""
    count, at = 0, 0
    while count < most and at + _PREFIX <= len(stream):
        at += _PREFIX + int.from_bytes(stream[at : at + _PREFIX], "big")
        if at > len(stream):
            break
        count += 1
    return count


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view[:_CHUNK]) :]


def _read_exactly(descriptor: int, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        if deadline is not None and not _readable(descriptor, deadline):
            raise BrokenFrameError("no answer in time")
        part = os.read(descriptor, min(size - len(parts), _CHUNK))
        if not part:
            raise BrokenFrameError("the other end closed")
        parts += part
    return bytes(parts)


def _readable(descriptor: int, deadline: float) -> bool:
    poller = select.poll()  # select() takes no descriptor above 1023
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(max(deadline - time.monotonic(), 0) * 1000))
