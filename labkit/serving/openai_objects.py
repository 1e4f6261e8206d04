"""The objects of OpenAI's interface: a whole answer, a piece of one, the models, an error."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from labkit.serving.completion_request import CompletionRequest
from labkit.serving.service import Piece

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: one is sent for every token


@dataclass(frozen=True)
class AnswerObjects:
    """What all objects of one answer share; `chat` tells the two interfaces apart."""

    model: str
    asked: CompletionRequest
    chat: bool
    created: int = field(default_factory=lambda: int(time.time()))
    name: str = field(default_factory=lambda: uuid4().hex)

    def whole(self, text: str, last: Piece) -> dict[str, Any]:
        content = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        found = self._object("chat.completion" if self.chat else "text_completion", [self._choice(content, last)])
        return found | {"usage": self._usage(last)}

    def chunk(self, piece: Piece, first: bool = False) -> dict[str, Any]:
        content = {"text": piece.text}
        if self.chat:
            content = {"delta": ({"role": "assistant"} if first else {}) | {"content": piece.text}}
        found = self._object(self._chunk_kind, [self._choice(content, piece)])
        return found | {"usage": self._usage(piece)} if self.asked.continuous_usage_stats else found

    def closing_usage(self, last: Piece) -> dict[str, Any]:
        """The event after the last, for who asked to `include_usage`."""
        return self._object(self._chunk_kind, []) | {"usage": self._usage(last)}

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self.chat else "text_completion"

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        name = f"{'chatcmpl' if self.chat else 'cmpl'}-{self.name}"
        return {"id": name, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def _choice(self, content: dict[str, Any], piece: Piece) -> dict[str, Any]:
        return {"index": 0, **content, "logprobs": None, "finish_reason": piece.finish_reason}

    def _usage(self, piece: Piece) -> dict[str, int]:
        read, written = len(self.asked.token_ids), piece.output_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def models_object(name: str, context: int) -> dict[str, Any]:
    """The list of models; `max_model_len` as vLLM has it."""
    model = {"id": name, "object": "model", "created": 0, "owned_by": "labkit", "max_model_len": context}
    return {"object": "list", "data": [model]}


def error_object(message: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """
    >>> error_object("busy", 503)["error"]["type"], error_object("no", 400)["error"]["type"]
    ('server_error', 'invalid_request_error')
    """
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def event(data: dict[str, Any] | str) -> bytes:
    """A server-sent event.

    >>> event("[DONE]")
    b'data: [DONE]\\n\\n'
    """
    text = data if isinstance(data, str) else _encode(data)
    return f"data: {text}\n\n".encode()
