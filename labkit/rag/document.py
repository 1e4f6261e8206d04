"""What is searched and what is found: a document, and a chunk of one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Document:
    """A text by its own `id`. `heading` is what a prompt shows above it: a date, a title, or nothing."""

    id: str
    text: str
    heading: str = ""

    @cached_property
    def digest(self) -> str:
        """Changes when what would be stored of the document changes; every chunk of it asks for it."""
        return hashlib.sha256(f"{self.heading}\0{self.text}".encode()).hexdigest()


@dataclass(frozen=True)
class Chunk:
    """Characters `start:end` of a document."""

    document: str
    start: int
    end: int
    text: str
    heading: str = ""

    @property
    def id(self) -> str:
        return f"{self.document}:{self.start}-{self.end}"
