"""What is asked of a server, and when: a `Request`, and a workload as a list of them.

A client without the server's tokenizer cannot know lengths in tokens. So a prompt is either token numbers, which
`/v1/completions` takes and whose count is exact, or common short words, most of which are one token each; what the
server says it read (`usage`) is what a report counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

WORDS = ("the", "of", "and", "to", "in", "is", "was", "for", "that", "on", "it", "with", "as", "at", "by", "from")

Prompt = str | tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """`arrival` seconds after the start the user wants to send; a closed loop, which sends when it can, ignores it.

    `output_length` is the most tokens to write. A user with `patience` hangs up so many seconds after the arrival.
    """

    arrival: float
    prompt: Prompt
    input_length: int
    output_length: int
    patience: float | None = None

    def __post_init__(self) -> None:
        if not self.arrival >= 0 or self.input_length < 1 or self.output_length < 1:
            raise ValueError(
                f"A request arrives at 0 or later and has at least one token each way; got arrival {self.arrival}, "
                f"input_length {self.input_length}, output_length {self.output_length}."
            )


def words(length: int, rng: np.random.Generator) -> str:
    """A prompt of `length` common words in random order, so that no two share a long prefix by design.

    >>> words(4, np.random.default_rng(0))
    'at it that in'
    """
    return " ".join(rng.choice(WORDS, length))


def token_numbers(vocabulary: int) -> Callable[[int, np.random.Generator], tuple[int, ...]]:
    """A maker of prompts of random token numbers below `vocabulary`.

    >>> token_numbers(1000)(3, np.random.default_rng(0))
    (850, 636, 511)
    """
    return lambda length, rng: tuple(rng.integers(vocabulary, size=length).tolist())


def workload(
    arrivals: Iterable[float],
    input_lengths: Iterable[int],
    output_lengths: Iterable[int],
    rng: np.random.Generator,
    prompt: Callable[[int, np.random.Generator], Prompt] = words,
) -> list[Request]:
    """One request for each arrival; raises `ValueError` where the three are not equally many.

    >>> workload([0.5], [2], [8], np.random.default_rng(0))
    [Request(arrival=0.5, prompt='at it', input_length=2, output_length=8, patience=None)]
    """
    return [
        Request(float(at), prompt(int(read), rng), int(read), int(written))
        for at, read, written in zip(arrivals, input_lengths, output_lengths, strict=True)
    ]
