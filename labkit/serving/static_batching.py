"""The baseline: a batch is filled, runs until its longest answer is written, and only then the next is let in.

Rows side by side in one rectangle, as a plain `generate` call has them. Prompts are padded to the longest; whoever is
done early leaves a row that still takes part in every step; memory is reserved for the longest sequence there may be,
for every row. What that costs is counted here: `num_padding_tokens` that were computed for nobody, and
`num_reserved_tokens` of cache.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from labkit.serving.sequence import Sequence, Status, Work


class StaticBatching:
    """Batches of at most `batch_size` sequences, in order of arrival; it offers what `Scheduler` offers.

    `num_cache_tokens` bounds rows times the longest row. Raises `ValueError` for bounds below 1.
    """

    def __init__(self, batch_size: int, num_cache_tokens: int) -> None:
        if min(batch_size, num_cache_tokens) < 1:
            raise ValueError(
                f"A batch has at least one sequence of one token; got batch_size {batch_size} and num_cache_tokens "
                f"{num_cache_tokens}."
            )
        self.batch_size, self.num_cache_tokens = batch_size, num_cache_tokens
        self.waiting: deque[Sequence] = deque()
        self.batch: list[Sequence] = []
        self.num_padding_tokens = 0

    @property
    def running(self) -> list[Sequence]:
        return [sequence for sequence in self.batch if not sequence.status.finished]

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.running

    @property
    def num_reserved_tokens(self) -> int:
        """Room in the cache that is kept for the batch, whether it will be used or not."""
        return len(self.batch) * max((sequence.most_tokens for sequence in self.batch), default=0)

    def add(self, sequence: Sequence) -> None:
        """Puts a sequence last in line; raises `ValueError` for one that the cache could never hold."""
        if sequence.most_tokens > self.num_cache_tokens:
            raise ValueError(
                f"Request {sequence.request_id} may need {sequence.most_tokens} tokens of cache, and there are "
                f"{self.num_cache_tokens}; shorten the prompt or max_tokens, or enlarge the cache."
            )
        self.waiting.append(sequence)

    def schedule(self) -> list[Work]:
        """A step of the whole batch: all of every prompt first, then one token of each that is not done."""
        if not self.running:
            self._fill()
        step = [Work(sequence, sequence.num_uncomputed_tokens) for sequence in self.running]
        width = max((work.num_tokens for work in step), default=0)
        self.num_padding_tokens += len(self.batch) * width - sum(work.num_tokens for work in step)
        return step

    def complete(self, step: Iterable[Work], drawn: Mapping[int, int | None]) -> list[Sequence]:
        """After the model has run: the tokens `drawn`, by request; returns who finished."""
        finished = []
        for sequence, num_tokens in step:
            if sequence.status.finished:
                continue
            sequence.num_computed_tokens += num_tokens
            sequence.append(drawn[sequence.request_id])
            finished += [sequence] if sequence.status.finished else []
        return finished

    def cancel(self, sequence: Sequence) -> None:
        """Takes a sequence out of the line; one in the batch leaves an empty row."""
        if sequence.status is Status.WAITING:
            self.waiting.remove(sequence)
        if not sequence.status.finished:
            sequence.status = Status.CANCELLED

    def _fill(self) -> None:
        self.batch, longest = [], 0
        while self.waiting and len(self.batch) < self.batch_size:
            longest = max(longest, self.waiting[0].most_tokens)
            if longest * (len(self.batch) + 1) > self.num_cache_tokens:
                break
            self.batch.append(self.waiting.popleft())
            self.batch[-1].status = Status.RUNNING
