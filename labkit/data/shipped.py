"""Hands out shipped files, each checked against its card every time."""

from __future__ import annotations

from pathlib import Path

from labkit.data.card import Card, card, cards, sha256_of
from labkit.data.place import ShippedFileError, root


def shipped(name: str) -> Path:
    """The path of a shipped file or folder, after every file in it has the size and hash of its card.

    Raises ShippedFileError with one sentence that names the file and what to type.
    """
    path = root() / name
    inside = cards(name) if not (root() / "cards" / f"{name}.json").is_file() else (card(name),)
    if not inside:
        card(name)  # says that there is no such file
    problems = [p for c in inside if (p := _problem(c))]
    problems += _uncarded(path) if path.is_dir() else []
    if problems:
        raise ShippedFileError(problems[0])
    return path


def verify() -> list[str]:
    """One sentence for each shipped file that is missing, damaged or without a card; empty where all is well."""
    try:
        known = cards()
        return [p for c in known if (p := _problem(c))] + _uncarded(root())
    except ShippedFileError as error:
        return [str(error)]


def _problem(expected: Card) -> str | None:
    path = root() / expected.name
    if not path.is_file():
        return f"{path} is missing; make it again with: {expected.make}"
    size = path.stat().st_size
    if size != expected.bytes:
        return f"{path} has {size} bytes where its card says {expected.bytes}; make it again with: {expected.make}"
    if sha256_of(path) != expected.sha256:
        return f"{path} does not have the sha256 of its card; make it again with: {expected.make}"
    return None


def _uncarded(folder: Path) -> list[str]:
    """Files without a card, other than cards and files that begin with a dot or are called README.md."""
    known = {c.name for c in cards()}
    names = {p.relative_to(root()).as_posix() for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}
    strangers = sorted(n for n in names - known if not n.startswith("cards/") and n != "README.md")
    return [f"{root() / n} has no card; write one with labkit.data.write_card, or delete the file" for n in strangers]
