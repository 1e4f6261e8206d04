"""The supervisor's eyes: reads what the answerer hands in, and ends it when it takes too long, too much or too many."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import select
import signal
import time
from typing import Literal

from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.inside.frames import split_frames
from labkit.course.grading.inside.stopwatch import Stopwatch

_GLANCE = 0.05  # seconds between two looks at the memory
_PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)

Reason = Literal["ended", "timeout", "memory", "output"]


@dataclasses.dataclass(frozen=True)
class End:
    """How the answerer ended: by itself with an exit status (negative: a signal), or ended by us for a reason.

    `seconds` from a timed question to its answer, None where there was no such question or no answer.
    """

    reason: Reason
    status: int
    handed_in: list[bytes]
    seconds: float | None = None


def watch(
    child: int,
    answers: int,
    limits: Limits,
    most_bytes: int,
    processes: int | None,
    stopwatch: Stopwatch | None = None,
) -> End:
    """Returns when the child and all its descendants are gone. `processes` is a descriptor of the `/proc` of a sandbox;
    without one memory is not counted. `stopwatch` holds the question where one is timed.
    """
    received = bytearray()
    reason = _until_done(child, answers, limits, most_bytes, processes, received, stopwatch)
    _kill(child, confined=processes is not None)
    _, raw, usage = os.wait4(child, 0)
    status = os.waitstatus_to_exitcode(raw)
    if reason == "ended" and status < 0 and usage.ru_utime + usage.ru_stime >= limits.cpu_seconds - 0.5:
        reason = "timeout"  # the kernel ended it at its limit of CPU time
    return End(reason, status, split_frames(bytes(received)), stopwatch.seconds if stopwatch else None)


def _until_done(
    child: int,
    answers: int,
    limits: Limits,
    most_bytes: int,
    processes: int | None,
    received: bytearray,
    stopwatch: Stopwatch | None,
) -> Reason:
    deadline = time.monotonic() + limits.wall_seconds
    next_glance = time.monotonic() + _GLANCE
    poller = select.poll()
    poller.register(answers, select.POLLIN)
    is_open = True
    while True:
        has_ended = _has_ended(child)  # asked before reading, so that nothing it wrote is missed
        events = dict(poller.poll(_GLANCE * 1000)) if is_open else {}
        if stopwatch is not None and stopwatch.into in events:
            stopwatch.send()
            if not stopwatch.is_sending:
                poller.unregister(stopwatch.into)
        if answers in events:
            part = os.read(answers, 1 << 20)
            received += part
            is_open = bool(part)
            if stopwatch is not None:
                was_sending = stopwatch.is_sending
                stopwatch.hear(received)
                if stopwatch.is_sending and not was_sending:
                    poller.register(stopwatch.into, select.POLLOUT)
        elif has_ended and not events:
            return "ended"
        elif not is_open:
            time.sleep(0.001)
        if len(received) > most_bytes:
            return "output"
        if time.monotonic() > deadline:
            return "timeout"
        if processes is not None and time.monotonic() > next_glance:
            if memory_of_others(processes) > limits.memory:
                return "memory"
            next_glance = time.monotonic() + _GLANCE


def _has_ended(child: int) -> bool:
    """Whether it is a zombie: ended, and not yet waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(child: int, confined: bool) -> None:
    """In a room of its own the child's end is the end of all it started; without one, at least of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL) if confined else os.killpg(child, signal.SIGKILL)


def memory_of_others(processes: int) -> int:
    """Bytes of memory held by the processes below this one; a page that several share is counted in shares (PSS).

    The sandbox's `/proc` shows its first process, the worker, this supervisor and what it watches; nothing else.
    """
    ours = {1, os.getpid(), os.getppid()}
    others = (int(name) for name in os.listdir(processes) if name.isdecimal())
    return sum(_held_by(processes, process) for process in others if process not in ours)


def _held_by(processes: int, process: int) -> int:
    try:
        rollup = os.open(f"{process}/smaps_rollup", os.O_RDONLY, dir_fd=processes)
        with os.fdopen(rollup, encoding="ascii") as file:
            found = _PSS.search(file.read())
    except OSError:  # it has just ended
        return 0
    return int(found[1]) * 1024 if found else 0
