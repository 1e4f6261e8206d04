"""Grades on other machines: the workers of a Dask cluster, whose scheduler the instructor started.

The machine that runs `labkit grade` keeps the journal and stays the only writer. Every worker needs the course, the
sandbox and nothing else: a notebook travels to it, with the seed, and a grade travels back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.course.catalogue import notebooks_dir
from labkit.course.grading.crew import Given, Made, take
from labkit.course.grading.sandbox import Sandbox, SandboxError
from labkit.course.grading.selftest import require_confinement

if TYPE_CHECKING:
    from distributed import Client

ANSWER_WITHIN = 10
"""Seconds in which a scheduler answers."""
WORKER_WITHIN = 120
"""Seconds in which a worker that died has started again."""


def run_on(
    address: str,
    work: Callable[[Given], Made],
    jobs: Iterable[Given],
    given_up: Callable[[Given], Made],
    confined: bool = True,
) -> Iterator[Made]:
    """`work(job)` for each job as it gets done, by all workers of the scheduler at `address`.

    Dask blames every job that waited on a worker that died, so such jobs are run again one by one, and one that ends
    workers alone too is `given_up`. Raises `ValueError` where no scheduler with a worker answers, `SandboxError` unless
    the sandbox holds on every worker, if `confined` is asked for.
    """
    lost: list[Given] = []
    with _cluster(address) as client:
        if confined:
            _prove_every_sandbox(client)
        yield from _done_by(client, work, iter(jobs), lost)
    for job in lost:
        alone: list[Given] = []
        with _cluster(address) as client:  # a client of its own: nothing else is waiting that could be blamed
            yield from _done_by(client, work, iter([job]), alone)
        yield from map(given_up, alone)


def _done_by(
    client: Client, work: Callable[[Given], Made], source: Iterator[Given], lost: list[Given]
) -> Iterator[Made]:
    from distributed.scheduler import KilledWorker

    ahead = 2 * sum(client.nthreads().values())
    return take(client.get_executor(pure=False), work, source, ahead, KilledWorker, lost)


@contextmanager
def _cluster(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--executor needs Dask: install it with `labkit setup --extra grading`.") from None
    try:
        client = Client(address, timeout=ANSWER_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"No Dask scheduler answers at {address}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_WITHIN)
        except OSError:
            raise ValueError(
                f"The scheduler at {address} has no worker: start one with `dask worker {address}`."
            ) from None
        yield client


def _prove_every_sandbox(client: Client) -> None:
    for worker, failure in client.run(_failure).items():
        if failure:
            raise SandboxError(f"The sandbox does not work on {worker}: {failure}. Nothing was run.")


def _failure() -> str:
    """Why the sandbox of the machine on which this runs is not to be trusted; nothing where it holds."""
    try:
        with Sandbox() as sandbox:
            require_confinement(sandbox, [Path(notebooks_dir())])
    except SandboxError as error:
        return str(error)
    return ""
