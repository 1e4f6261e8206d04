"""Runs jobs on several processes, in any order, and outlives one that dies: its job is tried again alone."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def usable_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    work: Callable[[Given], Made],
    jobs: Iterable[Given],
    workers: int,
    given_up: Callable[[Given], Made],
) -> Iterator[Made]:
    """`work(job)` for each job as it gets done. `jobs` is read as it is needed, so that few are in memory at once.

    A process that dies takes the jobs of its pool with it; each of them is run again in a pool of its own, and one
    that kills that too is `given_up`.
    """
    lost: list[Given] = []
    source = iter(jobs)
    while True:
        yield from _until_broken(work, source, workers, lost)
        if not lost:
            return
        while lost:
            job = lost.pop()
            alone: list[Given] = []
            yield from _until_broken(work, iter([job]), 1, alone)
            yield from map(given_up, alone)


def run_in(
    pool: concurrent.futures.Executor, work: Callable[[Given], Made], jobs: Iterable[Given], ahead: int = 64
) -> Iterator[Made]:
    """`work(job)` by any executor with the interface of `concurrent.futures`.

    When one of its processes dies, what it raises ends the run; the journal keeps the rest, and a second run goes on.
    """
    return take(pool, work, iter(jobs), ahead, (), [])


def take(
    pool: concurrent.futures.Executor,
    work: Callable[[Given], Made],
    source: Iterator[Given],
    ahead: int,
    death: type[BaseException] | tuple[()],
    lost: list[Given],
    stop_when_lost: bool = False,
) -> Iterator[Made]:
    """`work(job)` of any executor, with at most `ahead` jobs handed to it.

    A job that ends with `death` is `lost`; after one, with `stop_when_lost`, no more are taken.
    """
    waiting: dict[concurrent.futures.Future, Given] = {}
    while True:
        going_on = not (stop_when_lost and lost)
        while going_on and len(waiting) < ahead and (job := next(source, _NOTHING)) is not _NOTHING:
            waiting[pool.submit(work, job)] = job
        if not waiting:
            return
        done, _ = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            job = waiting.pop(future)
            try:
                made = future.result()
            except death:
                lost.append(job)
            else:
                yield made


def _until_broken(
    work: Callable[[Given], Made], source: Iterator[Given], workers: int, lost: list[Given]
) -> Iterator[Made]:
    """Takes from `source` until it is empty or the pool breaks; the jobs that were under way then are `lost`."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context, _end_with_parent) as pool:
        yield from take(pool, work, source, 2 * workers, BrokenProcessPool, lost, stop_when_lost=True)


def _end_with_parent() -> None:
    """A killed run leaves nothing behind: its workers end, and with each worker its sandbox."""

    def wait_and_end() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


_NOTHING = object()
