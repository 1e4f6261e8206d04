"""The warm worker: imports what takes long once, then forks for each request and never touches one itself.

Three generations, so that nothing of one question can reach the next. The *worker* waits; it reads no request, so that
no submission stays in its memory. Its child, the *supervisor*, reads one request, enters a room of its own and watches;
the supervisor's child, the *answerer*, is the first process of that room and the only one in which a stranger's code
runs. When the answerer ends or is killed, the kernel ends all it has started.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import os
import select
import sys

from labkit.course.grading.inside import confine
from labkit.course.grading.inside.answer import answer
from labkit.course.grading.inside.frames import BrokenFrameError, read_frame, write_frame
from labkit.course.grading.inside.stopwatch import Stopwatch
from labkit.course.grading.inside.watch import watch
from labkit.course.wire import decode, encode

REQUESTS, REPLIES = 0, 1
MAX_HEADER = 16 << 20
MAX_PAYLOAD = 1 << 30
READY = b"ready"


def main(confined: bool, preload: tuple[str, ...]) -> None:
    """Serve requests until the other end closes."""
    if confined:
        confine.give_up_root()
    _warm(preload)
    gc.freeze()  # a collection in a child would touch, and so copy, every page it shares with its parent
    write_frame(REPLIES, READY)
    while _request_waits():
        child = os.fork()
        if child == 0:
            _in_child(lambda: _supervise(confined))
        if os.waitpid(child, 0)[1]:
            return


def _warm(preload: tuple[str, ...]) -> None:
    for name in preload:
        __import__(name)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # threads do not survive a fork


def _request_waits() -> bool:
    poller = select.poll()
    poller.register(REQUESTS, select.POLLIN)
    return bool(poller.poll()[0][1] & select.POLLIN)


def _supervise(confined: bool) -> None:
    header = decode(read_frame(REQUESTS, MAX_HEADER).decode())
    payload = read_frame(REQUESTS, MAX_PAYLOAD)
    limits = confine.Limits(**header.pop("limits"))
    processes, held = None, 0
    if confined:
        processes, held = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY), confine.address_space()
        confine.enter_own_room()
    answers, hand_in = os.pipe()
    questions, into = os.pipe()
    _bind_to(header.get("core"))
    child = os.fork()
    if child == 0:
        _in_child(lambda: _answer(header, payload, hand_in, questions, limits, held))
    del payload
    os.close(hand_in)
    os.close(questions)
    stopwatch = None
    if header["kind"] == "time":  # read after the fork: the question is not in the memory of whom it is put to
        stopwatch = Stopwatch(read_frame(REQUESTS, MAX_PAYLOAD), into)
    end = watch(child, answers, limits, header["most_bytes"], processes, stopwatch)
    write_frame(REPLIES, encode(dataclasses.asdict(end), max_bytes=MAX_PAYLOAD).encode())


def _bind_to(core: int | None) -> None:
    """A timed question has one processor, whatever it starts; the answerer inherits this and may not change it."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def _answer(header: dict, payload: bytes, hand_in: int, questions: int, limits: confine.Limits, held: int) -> None:
    """`held` is 0 without a sandbox."""
    _close_all_but({hand_in, questions})
    os.setsid()  # a signal to one's own process group would reach the supervisor and the worker, walls or not
    if held:
        confine.bind_limits(limits, held)
        confine.drop_privilege()
    else:
        confine.bind_limits_unconfined(limits)
    answer(header, payload, hand_in, questions)


def _close_all_but(kept: set[int]) -> None:
    """The pipes to the outside are gone before any of the learner's code exists; 0, 1 and 2 lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    edges = [2, *sorted(kept), 4096]
    for before, after in itertools.pairwise(edges):
        os.closerange(before + 1, after)


def _in_child(action) -> None:
    """Run to the end of this process: no `finally` and no exit handler of the parent's runs in a child."""
    status = 1
    try:
        action()
        status = 0
    except (BrokenFrameError, BrokenPipeError):
        pass
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)
