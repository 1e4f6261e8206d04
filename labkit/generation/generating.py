"""`generate`: all steps of a batch, with the time of reading apart from the time of writing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from labkit.generation.decoding import Step, stream
from labkit.generation.drafting import Drafter
from labkit.generation.feeding import FilledCache
from labkit.generation.rows import End
from labkit.generation.sampling import GREEDY, Sampling
from labkit.generation.stopping import Stop
from labkit.measure.report import Report, Table, si
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Generation(Report):
    """What a batch of prompts became: the new `tokens` of each row and why it `ended`, and what it took.

    `drafted` and `accepted` count guesses of all rows together, `refused` the passes of a row that a wrong guess cut
    short; all are 0 without speculation.
    """

    tokens: tuple[tuple[int, ...], ...]
    ended: tuple[End, ...]
    prompt_tokens: int
    prefill_seconds: float
    decode_seconds: float
    steps: int
    drafted: int = 0
    accepted: int = 0
    refused: int = 0

    @property
    def new_tokens(self) -> int:
        """Of all rows together."""
        return sum(map(len, self.tokens))

    @property
    def time_to_first_token(self) -> float:
        """Seconds from the call to the first token of every row: the prompts were read by then."""
        return self.prefill_seconds

    @property
    def time_per_output_token(self) -> float | None:
        """Seconds between two tokens of the longest row, after its first; None where there is only one."""
        later = max(map(len, self.tokens)) - 1
        return self.decode_seconds / later if later else None

    @property
    def acceptance(self) -> float | None:
        """How likely a guess was accepted once it was looked at: those after a refused one never are.

        The alpha of Leviathan et al. (2023); None where nothing was guessed.
        """
        judged = self.accepted + self.refused
        return self.accepted / judged if judged else None

    def texts(self, tokenizer: PreTrainedTokenizerBase) -> list[str]:
        """The new text of each row, special tokens left out."""
        return [tokenizer.decode(list(row), skip_special_tokens=True) for row in self.tokens]

    def table(self) -> Table:
        rows = [
            [
                "prefill",
                self.prompt_tokens,
                1,
                si(self.prefill_seconds, "s"),
                _rate(self.prompt_tokens, self.prefill_seconds),
            ],
            [
                "decode",
                self._decoded,
                self.steps - 1,
                si(self.decode_seconds, "s"),
                _rate(self._decoded, self.decode_seconds),
            ],
        ]
        note = f"{len(self.tokens)} rows, ended by {', '.join(sorted(set(self.ended)))}"
        if self.drafted:
            note += f"; {self.accepted} of {self.drafted} guesses accepted, {self.acceptance:.0%} of those looked at"
        return Table("Generation", ["phase", "tokens", "passes", "time", "tokens/s"], rows, f"{note}.")

    @property
    def _decoded(self) -> int:
        return self.new_tokens - len(self.tokens)


def generate(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    sampling: Sampling = GREEDY,
    generator: torch.Generator | None = None,
    stop: Stop | None = None,
    cache: FilledCache | None = None,
    drafter: Drafter | None = None,
    draft_length: int = 4,
) -> Generation:
    """Every step of `labkit.generation.decoding.stream`, whose arguments and errors these are, and their times.

    The first step reads the prompts and gives each row its first token: that is prefill. All others are decode.
    """
    start = time.perf_counter()
    steps, times = [], []
    for step in stream(
        model,
        prompts,
        max_new_tokens,
        sampling=sampling,
        generator=generator,
        stop=stop,
        cache=cache,
        drafter=drafter,
        draft_length=draft_length,
    ):
        steps.append(step)
        times.append(time.perf_counter())
    return _summary(steps, times[0] - start, times[-1] - times[0])


def _summary(steps: list[Step], prefill_seconds: float, decode_seconds: float) -> Generation:
    rows = steps[-1].rows
    return Generation(
        tokens=tuple(tuple(row.new) for row in rows),
        ended=tuple(row.ended for row in rows),
        prompt_tokens=sum(row.prompt_length for row in rows),
        prefill_seconds=prefill_seconds,
        decode_seconds=decode_seconds,
        steps=len(steps),
        drafted=sum(sum(step.drafted) for step in steps),
        accepted=sum(sum(step.accepted) for step in steps),
        refused=sum(a < d for step in steps for a, d in zip(step.accepted, step.drafted, strict=True)),
    )


def _rate(tokens: int, seconds: float) -> str:
    return f"{tokens / seconds:.0f}" if seconds > 0 else "n/a"
