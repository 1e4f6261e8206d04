"""One request as the engine sees it: its tokens so far, how many are computed, in which blocks, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

    from labkit.generation.sampling import Sampling


class Status(Enum):
    """`WAITING` for a first turn or, preempted, for another; a finished sequence holds no block."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stop"  # it wrote a stop token
    LENGTH = "length"  # it wrote as many tokens as it may
    CANCELLED = "cancelled"
    FAILED = "failed"  # the model gave no numbers to choose by

    @property
    def finished(self) -> bool:
        return self not in (Status.WAITING, Status.RUNNING)


@dataclass(eq=False)
class Sequence:
    """`token_ids` begins as the prompt and grows by a token whenever all of it is computed.

    The next token is the best one, or chosen by `sampling` with the request's own `generator`, so that what others
    draw meanwhile changes nothing. Raises `ValueError` for an empty prompt or nothing to write.
    """

    request_id: int
    token_ids: list[int]
    max_tokens: int
    stop_tokens: Iterable[int] = frozenset()
    sampling: Sampling | None = None
    generator: torch.Generator | None = None
    status: Status = Status.WAITING
    block_table: list[int] = field(default_factory=list)
    block_hashes: list[bytes] = field(default_factory=list)
    num_computed_tokens: int = 0
    num_cached_tokens: int = 0
    """Tokens that were found computed when it was last admitted."""
    num_preemptions: int = 0

    def __post_init__(self) -> None:
        if not self.token_ids or self.max_tokens < 1:
            raise ValueError(
                f"A request has a prompt and writes at least one token; request {self.request_id} has "
                f"{len(self.token_ids)} tokens of prompt and max_tokens {self.max_tokens}."
            )
        self.token_ids, self.stop_tokens = list(self.token_ids), frozenset(self.stop_tokens)
        self.num_prompt_tokens = len(self.token_ids)

    @property
    def num_uncomputed_tokens(self) -> int:
        """What is left before the next token can be drawn: the rest of a prompt, or 1 while decoding."""
        return len(self.token_ids) - self.num_computed_tokens

    @property
    def most_tokens(self) -> int:
        """How many tokens will ever be computed: the last one that is written is never fed back."""
        return self.num_prompt_tokens + self.max_tokens - 1

    @property
    def output_ids(self) -> list[int]:
        """What was written so far."""
        return self.token_ids[self.num_prompt_tokens :]

    def append(self, token: int | None) -> None:
        """Takes a token that was drawn, and finishes where it stops the answer or fills it; None is none to be had.

        >>> sequence = Sequence(0, [5, 6], max_tokens=2, stop_tokens={9})
        >>> sequence.append(9)
        >>> sequence.output_ids, sequence.status
        ([9], <Status.STOPPED: 'stop'>)
        """
        if token is None:
            self.status = Status.FAILED
            return
        self.token_ids.append(token)
        if token in self.stop_tokens:
            self.status = Status.STOPPED
        elif len(self.token_ids) - self.num_prompt_tokens == self.max_tokens:
            self.status = Status.LENGTH


class Work(NamedTuple):
    """`num_tokens` of a sequence, from its `num_computed_tokens` on, are to be computed in this step."""

    sequence: Sequence
    num_tokens: int

    @property
    def draws(self) -> bool:
        """Whether the step reaches the sequence's last token, so that the next one can be drawn."""
        return self.num_tokens == self.sequence.num_uncomputed_tokens
