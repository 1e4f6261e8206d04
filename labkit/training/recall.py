"""Warm-up on meaningless tokens: going on with a pattern, and looking a value up by its key.

Reading answers from a document needs heads that find a token seen before and carry on from there (induction heads,
Olsson et al., 2022, arXiv 2209.11895). Random tokens make them the only way to lower the loss, so they appear early.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from labkit.training.examples import Example, Writer, example_of
from labkit.training.tokenizer import ASSISTANT, END, SPECIAL, USER


def cycles(seed: int, writer: Writer) -> Iterator[Example]:
    """A run of two to twelve random tokens again and again: the easiest copying, with many places to copy from."""
    rng = random.Random(f"labkit.training.recall/cycles/{seed}")
    while True:
        run = _draw(rng, writer, rng.randint(2, 12))
        yield example_of([(run, False), (run[:1], False), ((run * (64 // len(run)))[1:], True)])


def lookups(seed: int, writer: Writer) -> Iterator[Example]:
    """Keys of one or two tokens, each followed by a value of one to four, then the value of each key is asked for."""
    rng = random.Random(f"labkit.training.recall/lookups/{seed}")
    stop, asked, told, end = (writer.encode(t) for t in (".", USER, ASSISTANT, END))
    while True:
        pairs = [
            (_draw(rng, writer, rng.randint(1, 2)), _draw(rng, writer, rng.randint(1, 4)))
            for _ in range(rng.randint(1, 8))
        ]
        listed = [(piece, False) for key, value in pairs for piece in (key, value, stop)]
        queries = [
            part
            for key, value in rng.sample(pairs, len(pairs))
            for part in ((asked, False), (key, False), (told, False), (value, True), (end, True))
        ]
        yield example_of(listed + queries)


def _draw(rng: random.Random, writer: Writer, count: int) -> list[int]:
    """Token ids, one as likely as its rank is low (Zipf): a few are seen often enough to learn the skill on."""
    first, last = math.log(len(SPECIAL)), math.log(writer.vocab_size)
    return [int(math.exp(rng.uniform(first, last))) for _ in range(count)]
