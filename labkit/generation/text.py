"""Text as it is written: pieces that can be shown at once and never have to be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transformers import PreTrainedTokenizerBase

from labkit.generation.decoding import Step

UNFINISHED = ("\N{REPLACEMENT CHARACTER}", "\x1f")
"""Part of a character; the sign that takes the space after it away (`GLUE` of `labkit.training.tokenizer`)."""


def text_pieces(tokenizer: PreTrainedTokenizerBase, steps: Iterable[Step], row: int = 0) -> Iterator[str]:
    """The new text of one row, piece by piece; joined they are the decoded tokens, special ones left out.

    A character that needs several tokens is held back until its last one has come.

        for piece in text_pieces(tokenizer, stream(model, [prompt], 50)):
            print(piece, end="")
    """
    shown, text = "", ""
    for step in steps:
        text = tokenizer.decode(step.rows[row].new, skip_special_tokens=True)
        if step.tokens[row] and not text.endswith(UNFINISHED) and text != shown:
            yield text[len(shown) :]
            shown = text
    if text != shown:
        yield text[len(shown) :]
