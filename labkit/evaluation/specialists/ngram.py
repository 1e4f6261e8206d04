"""Counts of Python: what followed these few tokens most often (Shannon, 1948, section 3), longest context first.

Knows no grammar, only what it has seen. Contexts are packed into whole numbers and kept sorted, so that the bytes
counted are the bytes held.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt16, UInt64
from transformers import PreTrainedTokenizerBase

from labkit.data import standard_library
from labkit.evaluation.specialists.specialist import Specialist, source_bytes

ORDER = 4
"""Tokens of context at most."""
MODULES = 60
"""Modules of the standard library's training split that are counted."""


@dataclass(frozen=True)
class Counts:
    """For each length of context, from 0 up: the contexts seen, packed and sorted, and the favourite next token."""

    contexts: tuple[UInt64[np.ndarray, " seen"], ...]
    favourites: tuple[UInt16[np.ndarray, " seen"], ...]
    bits: int

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (*self.contexts, *self.favourites))

    def next_token(self, tokens: Sequence[int]) -> int:
        """The favourite after the longest context at the end of `tokens` that was ever seen."""
        for length in range(min(len(self.contexts) - 1, len(tokens)), -1, -1):
            key = 0
            for token in tokens[len(tokens) - length :]:
                key = key << self.bits | token
            place = int(np.searchsorted(self.contexts[length], np.uint64(key)))
            if place < len(self.contexts[length]) and self.contexts[length][place] == key:
                return int(self.favourites[length][place])
        raise AssertionError("the empty context was seen")


def count(sequences: Iterable[Sequence[int]], vocab_size: int, order: int = ORDER) -> Counts:
    """Counts every context of 0 to `order` tokens; of two favourites the one with the lower id.

    Raises `ValueError` if there is no token, if one does not fit into 16 bits or `order` + 1 do not into 64.

    >>> counts = count([[1, 2, 3, 1, 2, 3, 1, 2, 4]], vocab_size=8, order=2)
    >>> counts.next_token([1, 2]), counts.next_token([7, 3]), counts.next_token([7])
    (3, 1, 1)
    """
    bits = max((vocab_size - 1).bit_length(), 1)
    rows = [np.asarray(s, dtype=np.uint64) for s in sequences if len(s)]
    if bits > 16 or (order + 1) * bits > 64:
        raise ValueError(f"{order + 1} tokens of {bits} bits do not fit: at most 16 bits each and 64 together.")
    if not rows:
        raise ValueError("There is nothing to count: no sequence holds a token.")
    tables = [_favourites(rows, length, bits) for length in range(order + 1)]
    return Counts(tuple(c for c, _ in tables), tuple(f for _, f in tables), bits)


def _favourites(
    rows: Sequence[UInt64[np.ndarray, " seq"]], length: int, bits: int
) -> tuple[UInt64[np.ndarray, " seen"], UInt16[np.ndarray, " seen"]]:
    """The contexts of this length and what followed each most often."""
    whole, times = np.unique(np.concatenate([_windows(row, length + 1, bits) for row in rows]), return_counts=True)
    contexts = whole >> np.uint64(bits)
    order = np.lexsort((whole, -times, contexts))  # by context, then the most frequent, then the lowest id
    _, first = np.unique(contexts[order], return_index=True)
    chosen = whole[order][first]
    return chosen >> np.uint64(bits), (chosen & np.uint64((1 << bits) - 1)).astype(np.uint16)


def _windows(row: UInt64[np.ndarray, " seq"], width: int, bits: int) -> UInt64[np.ndarray, " windows"]:
    """Every `width` neighbouring tokens as one number, the first in the highest bits."""
    if len(row) < width:
        return np.empty(0, dtype=np.uint64)
    packed = np.zeros(len(row) - width + 1, dtype=np.uint64)
    for n in range(width):
        packed = packed << np.uint64(bits) | row[n : len(row) - width + 1 + n]
    return packed


def python_counts(tokenizer: PreTrainedTokenizerBase, modules: int = MODULES) -> Specialist:
    """Completes Python by one token, from counts over so many modules that models train on too."""
    library = standard_library()
    files = list(library.split("train"))
    chosen = itertools.islice(files, 0, None, max(len(files) // modules, 1))
    counts = count((_tokens(tokenizer, library.text(file)) for file in chosen), len(tokenizer))
    return Specialist(
        name="counts of Python",
        answer=lambda text: tokenizer.decode([counts.next_token(_tokens(tokenizer, text))]),
        rules=0,
        entries=0,
        written_bytes=source_bytes(sys.modules[__name__]),
        learned_bytes=counts.nbytes,
    )


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
