"""Real text that everybody has: the pure-Python standard library of the interpreter that runs.

Never committed and never shipped. A figure measured on it names `version` and `digest`, because another Python has
another text.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import platform
import sysconfig
import tokenize
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from labkit.data.place import ShippedFileError

SKIPPED = frozenset(
    {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idlelib", "lib2to3", "turtledemo"}
)
"""Folders that are other people's packages, caches, or text that says little."""


@dataclasses.dataclass(frozen=True)
class StandardLibrary:
    """`files` are paths below `folder`; `digest` is the sha256 of the lines "path sha256" of all of them."""

    version: str
    folder: Path
    files: tuple[str, ...]
    digest: str

    def text(self, file: str) -> str:
        """The source of one file, decoded as Python would, lines ending in a line feed."""
        with tokenize.open(self.folder / file) as source:
            return source.read()

    def split(self, split: Literal["train", "validation", "test"]) -> Iterator[str]:
        """The files of a split, chosen by a checksum of their path: one in twenty each for validation and test."""
        places = {"validation": (0,), "test": (1,), "train": range(2, 20)}[split]
        return (f for f in self.files if zlib.crc32(f.encode()) % 20 in places)


def standard_library(folder: Path | None = None) -> StandardLibrary:
    """The library of the running Python, read once a process; ShippedFileError where it is not in plain files."""
    return _read(folder) if folder else _installed()


@functools.cache
def _installed() -> StandardLibrary:
    return _read(Path(sysconfig.get_path("stdlib")))


def _read(folder: Path) -> StandardLibrary:
    files = tuple(sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.py") if _wanted(p, folder)))
    if not files:
        raise ShippedFileError(
            f"The standard library of this Python is not in plain files at {folder}: use another one."
        )
    lines = "".join(f"{f} {hashlib.sha256((folder / f).read_bytes()).hexdigest()}\n" for f in files)
    return StandardLibrary(platform.python_version(), folder, files, hashlib.sha256(lines.encode()).hexdigest())


def _wanted(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not SKIPPED.intersection(parts[:-1]) and not parts[0].startswith("config-")
