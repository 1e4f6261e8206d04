"""One answer's text as its tokens come: pieces that never have to be taken back, up to a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from labkit.generation.text import UNFINISHED

WINDOW = 16
"""Tokens that are decoded again with the next one, about."""


class AnswerText:
    """Fed with tokens, gives the text that is certain by now; special tokens are left out.

    Only the end of the answer is decoded for a token, from a place where two tokens met in whole characters: to decode
    all of it each time would cost the square of its length. Text that may be the beginning of a stop text is held back;
    the stop text itself is never given, and `stopped` then says that the answer is over.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ()) -> None:
        self.stopped = False
        self._tokenizer, self._stops, self._held = tokenizer, stops, ""
        self._tokens: list[int] = []  # from such a place on
        self._met, self._shown = 0, ""  # how many of them make whole characters, and which

    def add(self, token: int) -> str:
        """The text that this token makes certain, which may be none."""
        self._tokens.append(token)
        text = self._decoded()
        if len(text) <= len(self._shown) or text.endswith(UNFINISHED):
            return ""
        new, self._shown = text[len(self._shown) :], text
        self._met, begin = len(self._tokens), self._met
        if self._met > WINDOW:
            self._tokens = self._tokens[begin:]
            self._met, self._shown = len(self._tokens), self._decoded()
        return self._up_to_a_stop(new)

    def rest(self) -> str:
        """What was held back, at the end of the answer."""
        return self._up_to_a_stop(self._decoded()[len(self._shown) :], last=True)

    def _decoded(self) -> str:
        return self._tokenizer.decode(self._tokens, skip_special_tokens=True)

    def _up_to_a_stop(self, new: str, last: bool = False) -> str:
        text, self._held = self._held + new, ""
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            return text[: min(found)]
        held = 0 if last else max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """How much of the end of `text` may be the beginning of `stop`.

    >>> _overlap("the en", "end"), _overlap("the end of", "end")
    (2, 0)
    """
    most = min(len(stop) - 1, len(text))
    return next((size for size in range(most, 0, -1) if text.endswith(stop[:size])), 0)
