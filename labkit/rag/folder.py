"""A corpus of the learner's own: the Markdown and text files of a folder."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from labkit.rag.document import Document

SUFFIXES = frozenset({".md", ".markdown", ".txt", ".rst"})


@dataclass(frozen=True)
class FolderDocuments:
    """What could be read, and a sentence for each file that could not."""

    documents: tuple[Document, ...]
    unreadable: tuple[str, ...]


def folder_documents(folder: Path) -> FolderDocuments:
    """A document for each text file below `folder` that is in UTF-8, under its path there; hidden files are left out.

    Raises `ValueError` if `folder` is no folder or has no text file that can be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder.")
    documents: list[Document] = []
    unreadable: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        try:
            documents.append(_read(path, name.as_posix()))
        except (ValueError, OSError) as error:
            unreadable.append(f"{path} was left out: {error}.")
    if not documents:
        reason = unreadable[0] if unreadable else f"There is no {', '.join(sorted(SUFFIXES))} file in it."
        raise ValueError(f"{folder} has nothing to read. {reason}")
    return FolderDocuments(tuple(documents), tuple(unreadable))


def _read(path: Path, name: str) -> Document:
    payload = path.read_bytes()
    if payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16; save it as UTF-8")
    if b"\0" in payload:
        raise ValueError("it is binary")
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8; save it in that encoding") from None
    if not text.strip():
        raise ValueError("it is empty")
    return Document(name, text.replace("\r\n", "\n"), heading=name)
