"""What an OpenAI-compatible server's events say: one `data:` line to one `Chunk`, and errors in one sentence."""

from __future__ import annotations

import json
from typing import Any

from labkit.throughput.endpoint import Chunk
from labkit.throughput.sse import MalformedStreamError

DONE = "[DONE]"


def chunk_of(data: str) -> tuple[Chunk, bool]:
    """The piece in an event of `/v1/completions` or `/v1/chat/completions`, and whether it says that the answer ends.

    Text that a model thinks before its answer counts, as a reader waits for that too. Raises `MalformedStreamError`.

    >>> chunk_of('{"choices": [{"text": " in", "finish_reason": null}], "usage": {"completion_tokens": 2}}')
    (Chunk(text=' in', output_tokens=2, prompt_tokens=None), False)
    >>> chunk_of('{"choices": [{"delta": {"role": "assistant"}, "finish_reason": "stop"}]}')
    (Chunk(text='', output_tokens=None, prompt_tokens=None), True)
    """
    try:
        event = json.loads(data)
        if "error" in event:
            raise MalformedStreamError(f"the answer broke off with the server's error: {told(event)}")
        choice = next(iter(event["choices"]), {})
        usage = event.get("usage") or {}
        counts = usage.get("completion_tokens"), usage.get("prompt_tokens")
        if not all(count is None or isinstance(count, int) for count in counts):
            raise TypeError("a count of tokens is not a whole number")
        return Chunk(_text(choice), *counts), choice.get("finish_reason") is not None
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise MalformedStreamError(f"an event is not a chunk of a completion: {shortened(data)}") from None


def _text(choice: dict[str, Any]) -> str:
    if "text" in choice:
        return _letters(choice["text"])
    delta = choice.get("delta") or {}
    return "".join(_letters(delta.get(name)) for name in ("reasoning", "reasoning_content", "content"))


def _letters(value: Any) -> str:
    if not isinstance(value, str | None):
        raise TypeError("a piece of text is not text")
    return value or ""


def told(answer: Any) -> str:
    """The message in an error of any of the shapes servers use, else the beginning of what they sent.

    >>> told({"error": {"message": "no such model", "code": 404}}), told({"detail": "Not Found"}), told("busy")
    ('no such model', 'Not Found', 'busy')
    """
    found = answer
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return shortened(found if isinstance(found, str) else json.dumps(found))


def shortened(text: str, most: int = 200) -> str:
    """The beginning of a text on one line.

    >>> shortened("one\\ntwo", most=5)
    'one t ...'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} ..."
