"""What a specialist is: a function of text, and how much of it a person wrote."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Specialist:
    """`answer` gives None where the text is none of its business.

    `rules` are written for the task and `entries` typed in for it; `written_bytes` is the text of both, `learned_bytes`
    what was counted from examples.
    """

    name: str
    answer: Callable[[str], str | None]
    rules: int
    entries: int
    written_bytes: int
    learned_bytes: int = 0

    @property
    def bytes(self) -> int:
        """All that it works with."""
        return self.written_bytes + self.learned_bytes

    @property
    def knowledge_density(self) -> float:
        """The share of its bytes that a person wrote."""
        return self.written_bytes / self.bytes


def source_bytes(*modules: ModuleType) -> int:
    """The size of modules as a person wrote them, in UTF-8."""
    return sum(len(inspect.getsource(module).encode()) for module in modules)


def data_bytes(data: Any) -> int:
    """The size of a table as JSON text, as a person would type it.

    >>> data_bytes(["a", 1])
    8
    """
    return len(json.dumps(data, ensure_ascii=False).encode())
