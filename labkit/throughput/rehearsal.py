"""A service rehearsed: any scheduler on any workload, with a model that is nothing but a price, without waiting.

What a schedule does to its users follows from three things: when requests come, which tokens go into which step, and
what a step takes. The first two are exact here, by the scheduler that serves; the third is a straight line, `Price`,
which is measured or assumed and in any case named. So minutes of traffic take a moment, and the same numbers come out
on every machine. What is left out: HTTP, the attention that grows with the text, and noise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from labkit.serving.engine import Scheduling
from labkit.serving.sequence import Sequence, Work
from labkit.throughput.endpoint import Chunk
from labkit.throughput.record import Record, Run
from labkit.throughput.request import Request


class Price(NamedTuple):
    """Seconds of a step: `fixed`, however few tokens it computes, and `per_token` for each of them."""

    fixed: float
    per_token: float

    def of(self, tokens: int) -> float:
        """
        >>> Price(fixed=0.5, per_token=0.25).of(2)
        1.0
        """
        return self.fixed + tokens * self.per_token


class Taken(NamedTuple):
    """A step that was taken: when it ended, for how many sequences, of how many tokens, padding among them."""

    end: float
    sequences: int
    tokens: int
    padding: int


@dataclass(frozen=True)
class Rehearsal:
    """`run` is what the load generator would have noted, and goes wherever a `Run` goes."""

    run: Run
    steps: tuple[Taken, ...]

    @property
    def tokens(self) -> int:
        """Computed in all, padding too."""
        return sum(step.tokens for step in self.steps)

    @property
    def padding(self) -> int:
        """Tokens that were computed for nobody."""
        return sum(step.padding for step in self.steps)


def rehearse(
    scheduler: Scheduling,
    requests: Iterable[Request],
    price: Price,
    watch: Callable[[float, list[Work]], None] = lambda now, step: None,
) -> Rehearsal:
    """Serves `requests`, whose arrivals rise, to the end. Every answer is as long as it may be.

    A prompt of token numbers is taken as it is, any other becomes tokens that no other prompt has. `watch` sees each
    step when it is computed and before the scheduler knows. Raises `RuntimeError` for a scheduler that plans nothing
    while somebody waits.
    """
    coming = deque(enumerate(requests))
    records: dict[int, Record] = {}
    steps: list[Taken] = []
    now = 0.0
    while coming or not scheduler.idle:
        if scheduler.idle:
            now = max(now, coming[0][1].arrival)
        while coming and coming[0][1].arrival <= now:
            number, request = coming.popleft()
            scheduler.add(Sequence(number, _tokens(number, request), request.output_length))
            records[number] = Record(request.arrival, request.input_length, request.output_length, sent=request.arrival)
        taken = _step(scheduler, price, now)
        now, step = taken[0].end, taken[1]
        steps.append(taken[0])
        watch(now, step)
        _deliver(scheduler, step, records, now)
    return Rehearsal(Run("open", tuple(records.values()), now), tuple(steps))


def _step(scheduler: Scheduling, price: Price, now: float) -> tuple[Taken, list[Work]]:
    padded = getattr(scheduler, "num_padding_tokens", 0)  # a rectangle computes its padding too
    step = scheduler.schedule()
    if not step:
        raise RuntimeError("The scheduler planned no work while requests wait; they would wait for ever.")
    padding = getattr(scheduler, "num_padding_tokens", 0) - padded
    tokens = sum(work.num_tokens for work in step) + padding
    return Taken(now + price.of(tokens), len(step), tokens, padding), step


def _deliver(scheduler: Scheduling, step: list[Work], records: dict[int, Record], now: float) -> None:
    drawn = {work.sequence.request_id: 0 for work in step if work.draws}
    finished = scheduler.complete(step, drawn)
    for number in drawn:
        record = records[number]
        record.note(Chunk("token ", len(record.times) + 1, record.input_length), now)
    for sequence in finished:
        record = records[sequence.request_id]
        record.outcome, record.ended = "completed", now


def _tokens(number: int, request: Request) -> list[int]:
    if not isinstance(request.prompt, str):
        return list(request.prompt)
    first = number << 32
    return list(range(first, first + request.input_length))
