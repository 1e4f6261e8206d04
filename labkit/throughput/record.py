"""What happened to each request of a run: instants only, from which every metric is calculated afterwards.

Four instants (scheduled, sent, first and last piece of the answer) and the pieces between, 16 bytes each; texts are not
kept, so that a long run fits in memory. All times are seconds since the start of the run.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import nan
from typing import Literal

from labkit.throughput.endpoint import Chunk

Outcome = Literal["in flight", "completed", "failed", "timeout", "cancelled", "not sent"]

UNKNOWN = -1


@dataclass
class Record:
    """One request. `scheduled` is when the user wanted it sent, `sent` when it was; `ended` when it was over.

    `times` has the arrival of each piece with text; `totals` the tokens written by then, `UNKNOWN` where the server
    does not tell. `output_tokens` and `prompt_tokens` are the server's last word, or None.
    """

    scheduled: float
    input_length: int
    output_length: int
    sent: float = nan
    ended: float = nan
    times: array[float] = field(default_factory=lambda: array("d"))
    totals: array[int] = field(default_factory=lambda: array("q"))
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    outcome: Outcome = "in flight"
    error: str = ""

    def note(self, chunk: Chunk, now: float) -> None:
        """Adds a piece that arrived `now`."""
        if chunk.output_tokens is not None:
            self.output_tokens = chunk.output_tokens
        if chunk.prompt_tokens is not None:
            self.prompt_tokens = chunk.prompt_tokens
        if chunk.text:
            self.times.append(now)
            self.totals.append(UNKNOWN if chunk.output_tokens is None else chunk.output_tokens)

    @property
    def completed(self) -> bool:
        return self.outcome == "completed"

    @property
    def tokens_written(self) -> int:
        """The server's count of the answer's tokens, else its pieces, which may be fewer."""
        return len(self.times) if self.output_tokens is None else self.output_tokens

    @property
    def tokens_read(self) -> int:
        """The server's count of the prompt's tokens, else the length that was asked for."""
        return self.input_length if self.prompt_tokens is None else self.prompt_tokens


@dataclass(frozen=True)
class Run:
    """All requests of one run in the order of their schedule; `seconds` from its start to the end of the last."""

    loop: Literal["open", "closed"]
    records: tuple[Record, ...]
    seconds: float

    @property
    def completed(self) -> list[Record]:
        return [r for r in self.records if r.completed]

    @property
    def offered_rate(self) -> float:
        """Requests a second as users wanted them, up to the last arrival; in a closed loop, as they came to send."""
        last = self.records[-1].scheduled
        return len(self.records) / last if last > 0 else float("inf")
