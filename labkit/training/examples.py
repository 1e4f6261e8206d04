"""One example: tokens, and which of them the loss counts.

Loss falls on what can be learned. In a conversation that is the assistant's words; in prose and code every token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from labkit.training.tokenizer import ASSISTANT, END, USER


@dataclass(frozen=True)
class Example:
    """`learned[i]` tells whether token i is predicted for the loss; the first token never is."""

    tokens: tuple[int, ...]
    learned: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.tokens) != len(self.learned):
            raise ValueError(f"An example of {len(self.tokens)} tokens with {len(self.learned)} marks.")


def example_of(parts: Iterable[tuple[Sequence[int], bool]]) -> Example:
    """An example from pieces, each learned or not.

    >>> example_of([([7, 8], False), ([9], True)])
    Example(tokens=(7, 8, 9), learned=(False, False, True))
    """
    pieces = list(parts)
    tokens = tuple(token for piece, _ in pieces for token in piece)
    return Example(tokens, tuple(learned for piece, learned in pieces for _ in piece))


class Writer:
    """Turns conversations and texts into examples, in exactly the tokens of the tokenizer's chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._backend = tokenizer.backend_tokenizer
        self.vocab_size = len(tokenizer)

    def encode(self, text: str) -> list[int]:
        return self._backend.encode(text).ids

    def conversation(self, turns: Iterable[tuple[str, str]]) -> Example:
        """Pairs of a user's message and the assistant's; only the assistant's words and their end are learned."""
        parts: list[tuple[list[int], bool]] = []
        for asked, answered in turns:
            parts.append((self.encode(f"{USER} {asked}{ASSISTANT}"), False))
            parts.append((self.encode(f" {answered}{END}"), True))
        return example_of(parts)

    def text(self, text: str) -> Example:
        """Running text, all of it learned but its first token."""
        tokens = self.encode(text + END)
        return example_of([(tokens[:1], False), (tokens[1:], True)])
