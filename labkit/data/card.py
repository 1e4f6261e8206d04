"""The card of a shipped file: where it comes from, under which licence, its hash, and how to make it again.

Cards stand in `data/cards`, under the path of their file and ".json", so that a model folder stays as transformers
wrote it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from labkit.data.place import ShippedFileError, root


@dataclasses.dataclass(frozen=True)
class Card:
    """`name` is the path below data/ with forward slashes; `make` the command that writes the file again."""

    name: str
    summary: str
    source: str
    licence: str
    bytes: int
    sha256: str
    make: str


def card(name: str) -> Card:
    """The card of one file; ShippedFileError where it has none or the card lacks a field."""
    path = root() / "cards" / f"{name}.json"
    if not path.is_file():
        known = ", ".join(c.name for c in cards()) or "none"
        raise ShippedFileError(f"No shipped file is called {name!r}: {path} does not exist. Shipped are: {known}.")
    return _read(path)


def cards(under: str = "") -> tuple[Card, ...]:
    """Every card, or those of the files below the folder `under`, in the order of their names."""
    folder = root() / "cards" / under
    return tuple(sorted((_read(p) for p in folder.rglob("*.json")), key=lambda c: c.name))


def write_card(name: str, *, summary: str, source: str, licence: str = "CC BY 4.0", make: str) -> Card:
    """Writes the card of a file that already stands in data/, its size and hash read from it."""
    path = root() / name
    if not path.is_file():
        raise ShippedFileError(f"No card for {name!r}: there is no file {path}. Write the file first.")
    size, digest = path.stat().st_size, sha256_of(path)
    made = Card(name, summary, source, licence, size, digest, make)
    target = root() / "cards" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(made), indent=1, ensure_ascii=False) + "\n"
    target.write_bytes(text.encode())
    return made


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Card:
    try:
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ShippedFileError(f"The card {path} cannot be read ({error}): get the course's files again.") from None
