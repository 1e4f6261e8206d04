"""What each row of a batch has so far, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.generation.stopping import Stop

End = Literal["stop", "length", "context"]


@dataclass
class Row:
    """`tokens` are the prompt and what followed it; `room` new tokens may follow, then the row ends with `full`."""

    tokens: list[int]
    prompt_length: int
    room: int
    full: End
    ended: End | None = None

    @property
    def new(self) -> list[int]:
        """The generated tokens."""
        return self.tokens[self.prompt_length :]

    @property
    def left(self) -> int:
        """How many tokens may still follow."""
        return 0 if self.ended else self.room - (len(self.tokens) - self.prompt_length)

    def extend(self, tokens: Iterable[int], stop: Stop) -> tuple[int, ...]:
        """Take tokens one by one until the row ends; returns those taken."""
        taken = []
        for token in tokens:
            if self.ended:
                break
            self.tokens.append(token)
            taken.append(token)
            if stop(self.new):
                self.ended = "stop"
            elif self.left == 0:
                self.ended = self.full
        return tuple(taken)


def open_rows(prompts: Sequence[Sequence[int]], max_new_tokens: int, context: int | None, vocab: int) -> list[Row]:
    """A row for each prompt. `context` bounds prompt and new tokens together, None is no bound.

    Raises `ValueError` for no prompt, an empty one, one as long as the context, a token that is none, or no new tokens.
    """
    if max_new_tokens < 1:
        raise ValueError(f"At least one new token must be asked for; got {max_new_tokens}.")
    if not len(prompts) or not all(len(prompt) for prompt in prompts):
        raise ValueError("Every prompt needs at least one token, and there must be one.")
    return [_open(list(prompt), max_new_tokens, context, vocab) for prompt in prompts]


def _open(prompt: list[int], max_new_tokens: int, context: int | None, vocab: int) -> Row:
    if not all(0 <= token < vocab for token in prompt):
        strange = next(token for token in prompt if not 0 <= token < vocab)
        raise ValueError(f"Token {strange} is not in the vocabulary of {vocab}.")
    if context is None or len(prompt) + max_new_tokens <= context:
        return Row(prompt, len(prompt), max_new_tokens, "length")
    if len(prompt) >= context:
        raise ValueError(f"A prompt of {len(prompt)} tokens leaves no room in a context of {context}.")
    return Row(prompt, len(prompt), context - len(prompt), "context")
