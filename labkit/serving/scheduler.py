"""Which sequences advance in a step, and by how many tokens: continuous batching with chunked prefill.

A step computes some tokens of some sequences in one pass of the model. Sequences join and leave between steps (Yu et
al., "Orca", OSDI 2022), and a long prompt is computed in chunks beside the tokens that others are writing (Agrawal et
al., "Sarathi-Serve", arXiv 2403.02310). Decoding is a chunk of one, so a single rule serves both: every sequence has
computed some of its tokens and wants the rest. Where blocks run out, the youngest sequence is preempted: it gives its
blocks back and computes its tokens anew when its turn comes (recomputation, as in vLLM). The oldest is never preempted
for another, so every sequence ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import ceil

from labkit.serving.block_pool import BlockPool, extend_hashes
from labkit.serving.sequence import Sequence, Status, Work


class Scheduler:
    """`max_num_batched_tokens` bounds the tokens of a step, `max_num_seqs` the sequences that hold blocks.

    `prefill_chunk` bounds the tokens of one sequence in a step: smaller is kinder to those who are writing meanwhile
    and slower for who is waiting. Raises `ValueError` for bounds below 1.
    """

    def __init__(
        self, pool: BlockPool, max_num_seqs: int, max_num_batched_tokens: int, prefill_chunk: int | None = None
    ) -> None:
        chunk = max_num_batched_tokens if prefill_chunk is None else prefill_chunk
        if min(max_num_seqs, max_num_batched_tokens, chunk) < 1:
            raise ValueError(
                f"A step has room for at least one token of one sequence; got max_num_seqs {max_num_seqs}, "
                f"max_num_batched_tokens {max_num_batched_tokens}, prefill_chunk {prefill_chunk}."
            )
        self.pool, self.max_num_seqs, self.max_num_batched_tokens = pool, max_num_seqs, max_num_batched_tokens
        self.prefill_chunk = chunk
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.running

    def add(self, sequence: Sequence) -> None:
        """Puts a sequence last in line; raises `ValueError` for one that the pool could never hold."""
        needed = ceil(sequence.most_tokens / self.pool.block_size)
        if needed > self.pool.num_blocks:
            raise ValueError(
                f"Request {sequence.request_id} may need {needed} blocks of {self.pool.block_size} tokens, and the "
                f"cache has {self.pool.num_blocks}; shorten the prompt or max_tokens, or enlarge the cache."
            )
        self.waiting.append(sequence)

    def schedule(self) -> list[Work]:
        """The work of the next step: first what is running, oldest first, then who waits, in order of arrival."""
        step: list[Work] = []
        budget, preempted = self.max_num_batched_tokens, False
        for sequence in list(self.running):
            wanted = min(sequence.num_uncomputed_tokens, self.prefill_chunk, budget)
            if wanted < 1 or sequence.status is not Status.RUNNING:
                continue
            while not self._grow(sequence, wanted):
                preempted = True
                if self._preempt_youngest() is sequence:
                    break
            else:
                step.append(Work(sequence, wanted))
                budget -= wanted
        while self.waiting and budget and not preempted and len(self.running) < self.max_num_seqs:
            if not (work := self._admit(self.waiting[0], budget)):
                break
            step.append(work)
            budget -= work.num_tokens
        return step

    def complete(self, step: Iterable[Work], drawn: Mapping[int, int | None]) -> list[Sequence]:
        """After the model has run: what is computed now, and the tokens `drawn`, by request; returns who finished.

        Full blocks are remembered only now, when they hold what they promise; a request for which None was drawn fails
        alone, and what it computed is forgotten.
        """
        finished = []
        for work in step:
            sequence = work.sequence
            if sequence.status.finished:
                continue  # cancelled while the model ran
            draws = work.draws
            sequence.num_computed_tokens += work.num_tokens
            self._remember(sequence, work.num_tokens)
            if draws:
                sequence.append(drawn[sequence.request_id])
            if sequence.status is Status.FAILED:
                self.pool.forget(sequence.block_table)
            if sequence.status.finished:
                self._leave(sequence)
                finished.append(sequence)
        return finished

    def cancel(self, sequence: Sequence) -> None:
        """Takes a sequence out, wherever it stands; one that is finished stays as it is."""
        if sequence.status is Status.RUNNING:
            self._leave(sequence)
        elif sequence.status is Status.WAITING:
            self.waiting.remove(sequence)
        if not sequence.status.finished:
            sequence.status = Status.CANCELLED

    def _admit(self, sequence: Sequence, budget: int) -> Work | None:
        """Lets the first in line in with what is remembered of it, if there are blocks for its first chunk."""
        extend_hashes(sequence.block_hashes, sequence.token_ids, self.pool.block_size)
        # One token at least is left to compute, because the next is drawn from its logits.
        most = (len(sequence.token_ids) - 1) // self.pool.block_size
        found = self.pool.find(sequence.block_hashes[:most])
        for block in found:
            self.pool.hold(block)
        sequence.block_table = found
        sequence.num_computed_tokens = sequence.num_cached_tokens = len(found) * self.pool.block_size
        wanted = min(sequence.num_uncomputed_tokens, self.prefill_chunk, budget)
        if not self._grow(sequence, wanted):
            self._let_go(sequence)
            return None
        self.running.append(self.waiting.popleft())
        sequence.status = Status.RUNNING
        return Work(sequence, wanted)

    def _grow(self, sequence: Sequence, num_tokens: int) -> bool:
        """Takes the blocks that the next tokens need, all or none."""
        needed = ceil((sequence.num_computed_tokens + num_tokens) / self.pool.block_size) - len(sequence.block_table)
        if needed > self.pool.num_free:
            return False
        sequence.block_table += [self.pool.take() for _ in range(needed)]
        return True

    def _preempt_youngest(self) -> Sequence:
        sequence = self.running[-1]
        self._leave(sequence)
        sequence.status = Status.WAITING
        sequence.num_preemptions += 1
        self.waiting.appendleft(sequence)
        return sequence

    def _leave(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._let_go(sequence)

    def _let_go(self, sequence: Sequence) -> None:
        self.pool.release(sequence.block_table)
        sequence.block_table, sequence.num_computed_tokens = [], 0

    def _remember(self, sequence: Sequence, num_tokens: int) -> None:
        """Makes the blocks known that the last `num_tokens` have filled."""
        size = self.pool.block_size
        full, before = sequence.num_computed_tokens // size, (sequence.num_computed_tokens - num_tokens) // size
        if full > before:
            extend_hashes(sequence.block_hashes, sequence.token_ids, size)
        for place in range(before, full):
            self.pool.remember(sequence.block_table[place], sequence.block_hashes[place])
