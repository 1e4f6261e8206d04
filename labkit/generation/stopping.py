"""When a row has ended: rules that look at the tokens it generated so far.

A rule is asked after every single token, also when speculation brings several, and what it stops at belongs to the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

Stop = Callable[[Sequence[int]], bool]
"""True where a row that generated these tokens has ended; never asked about none."""


def at_tokens(*ends: int) -> Stop:
    """Stop at any of these tokens.

    >>> at_tokens(2, 7)([5, 7])
    True
    """
    wanted = frozenset(ends)
    return lambda new: new[-1] in wanted


def at_sequence(*sequence: int) -> Stop:
    """Stop where the row ends in these tokens, in this order. Raises `ValueError` for none.

    >>> rule = at_sequence(5, 7)
    >>> rule([1, 5, 7]), rule([7])
    (True, False)
    """
    if not sequence:
        raise ValueError("A stop sequence needs at least one token.")
    return lambda new: tuple(new[-len(sequence) :]) == sequence


def at_text(tokenizer: PreTrainedTokenizerBase, text: str) -> Stop:
    """Stop as soon as the generated text contains `text`, however it is cut into tokens.

    Raises `ValueError` for an empty text.
    """
    if not text:
        raise ValueError("A stop text needs at least one character.")
    reach = len(text.encode()) + 4  # a token has at least one byte; a character that began earlier, at most four
    return lambda new: text in tokenizer.decode(new[-reach:], skip_special_tokens=False)


def at_any(*rules: Stop) -> Stop:
    """Stop where any of the rules says so."""
    return lambda new: any(rule(new) for rule in rules)
