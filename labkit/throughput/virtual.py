"""An event loop in which waiting takes no time: its clock jumps to the next timer.

Not a mock: tasks, timers, locks and timeouts are asyncio's own, so the load generator that runs here is the one that
runs against real servers, and an hour of traffic takes seconds. Nothing outside the process may be waited for, since
outside no time passes; where everything waits and no timer is set, the loop says so instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a clock of its own, which starts at 0 and moves only while everybody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    """Where asyncio would sleep until the next timer, the clock is set to it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("In virtual time everything waits and no timer is set: this would never end.")
        if not ready:
            self._loop.now += timeout
        return ready


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end in virtual time, from a notebook too, and returns what it returns.

    >>> async def an_hour() -> float:
    ...     await asyncio.sleep(3600)
    ...     return asyncio.get_running_loop().time()
    >>> run_virtual(an_hour())
    3600.0
    """
    # A notebook runs in a loop already, and a thread can run one only.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, main).result()


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
