"""Runs a function for at most so many seconds in this process, even if it catches everything.

Not a sandbox: code that means harm wins here (the grader uses another process). This is for the endless loop of an
honest learner, `while True: try: ... except: pass` included, after which the kernel must be as usable as before.

How: a repeating alarm raises `TimeUp` in the running frame. Where the code swallows it, tracing makes every following
line of the learner's frames raise again. Python switches tracing off when a trace function raises, so the swallowed
exception switches it on once more as it is thrown away. A single call into C that never returns (`sum` over an endless
iterator, one huge matmul) cannot be interrupted by anything but a restart of the kernel.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

AGAIN = 0.02  # seconds between two alarms, once time is up


class TimeUp(BaseException):
    """Time is over. Derives from BaseException so that `except Exception` lets it through."""

    limit: TimeLimit | None = None

    def __del__(self) -> None:
        if self.limit is not None:
            self.limit.trace_from(sys._getframe(1))


class TimeLimit:
    """One run under a limit: `expired` tells afterwards whether time ran out, even if the code then returned."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._floor: FrameType | None = None

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` returns; `TimeUp` when it took longer. Handlers, timers and tracing are as before after
        it.
        """
        previous_trace = sys.gettrace()
        alarm = _choose_alarm()
        try:
            with alarm(self):
                return self._call(function, arguments)
        finally:
            self._floor = None
            sys.settrace(previous_trace)

    def _call(self, function: Callable[..., Any], arguments: tuple) -> Any:
        self._floor = sys._getframe()  # while this frame is on the stack, the learner's code is running
        return function(*arguments)

    def callers(self, frame: FrameType | None) -> list[FrameType] | None:
        """The frames of the learner's code from `frame` outwards; None when that code is not running in `frame`."""
        found: list[FrameType] = []
        while frame is not None and frame is not self._floor:
            found.append(frame)
            frame = frame.f_back
        return None if frame is None else found

    def fire(self, frame: FrameType | None) -> None:
        """Called by the alarm, in the thread that runs the code: raises unless the run is already over."""
        if self.callers(frame) is not None:
            self.expired = True
            self.trace_from(frame)
            raise self._time_up()

    def trace_from(self, frame: FrameType | None) -> None:
        """Make every next line raise in `frame` and its callers, down to the frame that started the run."""
        callers = self.callers(frame)
        if callers is not None:
            for caller in callers:
                caller.f_trace = self._trace
            sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event in ("call", "line") and self.callers(frame) is not None:
            raise self._time_up()
        return self._trace

    def _time_up(self) -> TimeUp:
        error = TimeUp()
        error.limit = self
        return error


def _choose_alarm() -> Callable[[TimeLimit], contextlib.AbstractContextManager[None]]:
    if threading.current_thread() is not threading.main_thread():
        return _alarm_in_another_thread
    return _alarm_by_signal if hasattr(signal, "setitimer") else _alarm_by_interrupt


@contextlib.contextmanager
def _alarm_by_signal(limit: TimeLimit) -> Iterator[None]:
    """POSIX, main thread. A timer that was running before (pytest-timeout's, say) goes on where it stood."""
    previous = signal.signal(signal.SIGALRM, lambda _, frame: limit.fire(frame))
    started = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, limit.seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 1e-3), interval)


@contextlib.contextmanager
def _alarm_by_interrupt(limit: TimeLimit) -> Iterator[None]:
    """Windows, main thread: a second thread sends the interrupt that Ctrl-C would send."""
    due = threading.Event()

    def on_interrupt(_: int, frame: FrameType | None) -> None:
        if not due.is_set():
            raise KeyboardInterrupt
        limit.fire(frame)

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        with _repeating(limit.seconds, lambda: (due.set(), _thread.interrupt_main())):
            yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if previous is None else previous)


@contextlib.contextmanager
def _alarm_in_another_thread(limit: TimeLimit) -> Iterator[None]:
    """No signal reaches a thread that is not the main one; an exception can be left for it to find."""
    identity = threading.get_ident()
    thread = ctypes.c_ulong(identity)
    time_up = type("TimeUp", (TimeUp,), {"limit": limit})  # Python makes the instance itself, from a class

    def leave_exception() -> None:
        if limit.callers(sys._current_frames().get(identity)) is None:
            return
        limit.expired = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(time_up))

    with _repeating(limit.seconds, leave_exception):
        yield


@contextlib.contextmanager
def _repeating(delay: float, action: Callable[[], Any]) -> Iterator[None]:
    done = threading.Event()

    def wait_and_act() -> None:
        pause = delay
        while not done.wait(pause):
            action()
            pause = AGAIN

    thread = threading.Thread(target=wait_and_act, daemon=True, name=f"labkit-time-limit-{os.getpid()}")
    thread.start()
    try:
        yield
    finally:
        _stop(done, thread)


def _stop(done: threading.Event, thread: threading.Thread) -> None:
    """An exception left just before the end is found here. It must be: taken back unfound, it leaves a flag set in
    CPython 3.11 with which a traced function never starts.
    """
    while True:
        try:
            done.set()
            thread.join()
            return
        except TimeUp:
            continue
