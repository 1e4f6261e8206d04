"""The engine: one loop that schedules, runs the model and hands out tokens, and any number of streams beside it.

The loop awaits the model, so the streams, and whatever HTTP stands on them, go on while it computes; the model itself
is a function from the work of a step to the tokens drawn, and may run in a thread, on a GPU or in simulated time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from labkit.serving.sequence import Sequence, Status, Work

Run = Callable[[list[Work]], Awaitable[Mapping[int, int | None]]]
"""Computes a step and gives the token drawn for each request whose work `draws`, None where there was none to draw.

It must give way while it computes, and before that take what it needs of the sequences: one may be cancelled meanwhile.
"""


class Scheduling(Protocol):
    """What `Scheduler` and `StaticBatching` have in common."""

    waiting: deque[Sequence]

    @property
    def idle(self) -> bool: ...

    def add(self, sequence: Sequence) -> None: ...

    def schedule(self) -> list[Work]: ...

    def complete(self, step: Iterable[Work], drawn: Mapping[int, int | None]) -> list[Sequence]: ...

    def cancel(self, sequence: Sequence) -> None: ...


class EngineBusyError(RuntimeError):
    """Too many requests wait already."""


class EngineStoppedError(RuntimeError):
    """The engine does not run, or its model failed; the cause is attached."""


class AnswerLostError(RuntimeError):
    """The model gave no numbers to choose a token by, for one request; others are not touched."""


class Engine:
    """Use it with `async with`: the loop runs inside the block, and what is unfinished at its end is cancelled.

    `max_waiting` bounds the requests in line, and so what they hold in memory.
    """

    def __init__(self, scheduler: Scheduling, run: Run, max_waiting: int = 1024) -> None:
        self.scheduler, self._run, self._max_waiting = scheduler, run, max_waiting
        self._outboxes: dict[Sequence, asyncio.Queue[int | None]] = {}
        self._wanted = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Engine:
        self._loop = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        loop, self._loop = self._loop, None
        loop.cancel()
        with suppress(asyncio.CancelledError, Exception):  # a failure was told to every stream
            await loop

    @property
    def running(self) -> bool:
        """Whether requests are served: not before, not after, and not once the model has failed."""
        return self._loop is not None and not self._loop.done()

    async def stream(self, sequence: Sequence) -> AsyncGenerator[int, None]:
        """The tokens of a request as they are drawn; closing the generator cancels it.

        Raises `EngineBusyError` where too many wait, `EngineStoppedError` where the engine does not run,
        `AnswerLostError` where the model has no next token for it, and `ValueError` for a request that the cache could
        never hold or a number that is in use.
        """
        self._check(sequence)
        outbox = asyncio.Queue()
        self.scheduler.add(sequence)
        self._outboxes[sequence] = outbox
        self._wanted.set()
        try:
            while (token := await outbox.get()) is not None:
                yield token
            if sequence.status is Status.FAILED:
                raise AnswerLostError(
                    f"After {len(sequence.token_ids)} tokens the logits of request {sequence.request_id} hold NaN or "
                    "infinity, so there is no next token: the weights are damaged, or the dtype is too narrow."
                )
            if not sequence.status.finished:
                raise EngineStoppedError("The engine stopped before the answer was written.") from self._failure()
        finally:
            del self._outboxes[sequence]
            self.scheduler.cancel(sequence)

    async def _serve(self) -> None:
        try:
            while True:
                while self.scheduler.idle:  # who woke it may have left again
                    self._wanted.clear()
                    await self._wanted.wait()
                step = self.scheduler.schedule()
                drawn = await self._run(step)
                finished = self.scheduler.complete(step, drawn)
                self._deliver(step, drawn, finished)
        finally:
            for outbox in self._outboxes.values():
                outbox.put_nowait(None)

    def _deliver(self, step: list[Work], drawn: Mapping[int, int | None], finished: list[Sequence]) -> None:
        """Sends each token to its stream, unless that was closed while the model ran."""
        for sequence, _ in step:
            token = drawn.get(sequence.request_id)
            if token is not None and sequence in self._outboxes:
                self._outboxes[sequence].put_nowait(token)
        for sequence in finished:
            self._outboxes[sequence].put_nowait(None)

    def _check(self, sequence: Sequence) -> None:
        if not self.running:
            raise EngineStoppedError("The engine does not run; start it with `async with`.") from self._failure()
        if len(self.scheduler.waiting) >= self._max_waiting:
            raise EngineBusyError(f"{self._max_waiting} requests wait already; try again later.")
        if any(other.request_id == sequence.request_id for other in self._outboxes):
            raise ValueError(f"Request {sequence.request_id} is in the engine already; give each a number of its own.")

    def _failure(self) -> BaseException | None:
        if self._loop is None or not self._loop.done() or self._loop.cancelled():
            return None
        return self._loop.exception()
