"""The prompt of an answer from documents: as many chunks as the budget of tokens allows, the best ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.evaluation.prompts import open_book
from labkit.rag.document import Chunk
from labkit.world import Passage


@dataclass(frozen=True)
class Prompt:
    """`message` holds the chunks `used`, oldest first; `tokens` is its length. `left_out` found no room.

    Both are best first.
    """

    message: str
    tokens: int
    used: tuple[Chunk, ...]
    left_out: tuple[Chunk, ...]


def assemble(
    question: str, chunks: Sequence[Chunk], budget: int, count: Callable[[str], int], control: Sequence[str] = ()
) -> Prompt:
    """The question under those `chunks`, best first, that fit together into `budget` tokens as `count` counts them.

    A chunk that is too long is passed over and shorter ones after it still get in. The message has the form that the
    course's models are trained on (`labkit.evaluation.prompts`); for `control` see `passage`. Raises `ValueError` for
    an empty question or one that is longer than the budget by itself.

    >>> near, far = Chunk("a", 0, 9, "It is red.", "Mill"), Chunk("b", 0, 9, "It is blue and so on.", "Tower")
    >>> assemble("Red?", [far, near], budget=5, count=lambda text: len(text.split())).message
    'Mill\\nIt is red.\\n\\nRed?'
    """
    if not question.strip():
        raise ValueError("The question is empty.")
    used: list[Chunk] = []
    message, tokens = question, count(question)
    if tokens > budget:
        raise ValueError(f"The question alone has {tokens} tokens; the budget is {budget}.")
    for chunk in chunks:
        longer = open_book([passage(c, control) for c in (*used, chunk)], question)
        if (length := count(longer)) <= budget:
            used.append(chunk)
            message, tokens = longer, length
    return Prompt(message, tokens, tuple(used), tuple(c for c in chunks if c not in used))


def passage(chunk: Chunk, control: Sequence[str] = ()) -> Passage:
    """A chunk as a prompt shows it: its heading stands where a dated document has its date.

    `control` are texts that the reader's tokenizer would take for the end of a turn or the like: documents of strangers
    must not speak in the assistant's name, so a space breaks them.

    >>> passage(Chunk("a", 0, 3, "Red.<|end|>", "my-notes.md"), control=["<|end|>"]).text
    'Red.< |end|>'
    """
    heading, text = chunk.heading, chunk.text
    for token in control:
        heading, text = (part.replace(token, f"{token[0]} {token[1:]}") for part in (heading, text))
    return Passage(heading, text)
