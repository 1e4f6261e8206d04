"""A high-water mark that the system keeps and forgets on request, shared by nested and concurrent readers.

The kernel has one mark a process and CUDA one a device, and a reader who sets it back would steal the peak from the
reader around it. So whoever resets first writes the mark down for everybody who is still watching.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class HighWater:
    """`read()` gives the mark in bytes, `reset()` sets it back to the present level.

    >>> level = [5]
    >>> mark = HighWater(lambda: level[0], lambda: level.__setitem__(0, 1))
    >>> outer = mark.open()
    >>> level[0] = 9
    >>> inner = mark.open()
    >>> mark.close(inner), mark.close(outer)
    (1, 9)
    """

    def __init__(self, read: Callable[[], int], reset: Callable[[], None]) -> None:
        self._read, self._reset = read, reset
        self._lock = threading.Lock()
        self._open: dict[object, int] = {}

    def open(self) -> object:
        """Begin to watch; returns the token to close with. Raises what `reset` raises, and then watches nothing."""
        with self._lock:
            self._note()
            self._reset()
            token = object()
            self._open[token] = 0
            return token

    def close(self, token: object) -> int:
        """The highest mark since `token` was opened."""
        with self._lock:
            self._note()
            return self._open.pop(token)

    def _note(self) -> None:
        mark = self._read()
        self._open = {token: max(peak, mark) for token, peak in self._open.items()}


class Sampler:
    """The highest of many looks at `read()`, one every `period` seconds: for systems that keep no mark themselves."""

    def __init__(self, read: Callable[[], int], period: float) -> None:
        self._read, self._period, self._peak = read, period, read()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="labkit-peak-memory", daemon=True)
        self._thread.start()

    def close(self) -> int:
        """Stop looking; the highest value seen."""
        self._done.set()
        self._thread.join()
        return max(self._peak, self._read())

    def _watch(self) -> None:
        while not self._done.wait(self._period):
            self._peak = max(self._peak, self._read())
