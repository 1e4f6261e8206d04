"""Reads notebooks out of zip files without ever writing one to the disk.

Refused with a reason: links, encrypted members, archives in archives in archives, and bombs: `zipfile` hands out no
more of a member than the size it declares, so that bounding what is declared bounds what is read.
"""

from __future__ import annotations

import dataclasses
import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

MOST_MEMBERS = 50_000
MOST_BYTES = 512 << 20
_MOST_INNER_BYTES = 1 << 30
_DEEPEST = 2
NOTEBOOKS = (".ipynb", ".py")


@dataclasses.dataclass(frozen=True)
class Found:
    """A notebook, read when it is wanted; or, with a `problem`, something that could not be taken."""

    path: PurePosixPath
    read: Callable[[], bytes] | None = None
    problem: str = ""


def is_wanted(path: PurePosixPath) -> bool:
    """Notebooks and scripts, but not what Jupyter, macOS and Python leave behind."""
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return path.suffix.lower() in NOTEBOOKS and not hidden


def find_in_archive(path: PurePosixPath, source: Callable[[], io.BufferedIOBase], depth: int = 1) -> Iterator[Found]:
    """The notebooks of one zip; `source` opens it anew each time."""
    try:
        with source() as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield Found(path, problem=f"The archive cannot be read ({error}).")
        return
    if len(members) > MOST_MEMBERS:
        yield Found(path, problem=f"The archive has {len(members)} members; {MOST_MEMBERS} are allowed.")
        return
    if depth > 1 and sum(member.file_size for member in members if _is_taken(member)) > _MOST_INNER_BYTES:
        yield Found(path, problem="The archive unpacks to more than 1 GiB.")
        return
    for member in sorted(members, key=lambda member: member.filename):
        if _is_taken(member):
            yield from _from_member(path, source, member, depth)


def _is_taken(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    is_archive = path.suffix.lower() == ".zip" and not any(part.startswith((".", "__")) for part in path.parts)
    return not member.is_dir() and (is_wanted(path) or is_archive)


def _from_member(
    archive: PurePosixPath, source: Callable[[], io.BufferedIOBase], member: zipfile.ZipInfo, depth: int
) -> Iterator[Found]:
    inside = [part for part in PurePosixPath(member.filename).parts if part not in ("/", "..")]
    path = archive.joinpath(*inside)
    if stat.S_ISLNK(member.external_attr >> 16):
        yield Found(path, problem="It is a link, which is not followed.")
    elif member.flag_bits & 1:
        yield Found(path, problem="It is encrypted.")
    elif member.file_size > MOST_BYTES:
        yield Found(path, problem=f"It unpacks to {member.file_size >> 20} MiB; {MOST_BYTES >> 20} are allowed.")
    elif path.suffix.lower() != ".zip":
        yield Found(path, lambda: _read(source, member))
    elif depth >= _DEEPEST:
        yield Found(path, problem="An archive in an archive in an archive is not opened.")
    else:
        yield from find_in_archive(path, lambda: io.BytesIO(_read(source, member)), depth + 1)


def _read(source: Callable[[], io.BufferedIOBase], member: zipfile.ZipInfo) -> bytes:
    """`ValueError` when the member is damaged."""
    try:
        with source() as file, zipfile.ZipFile(file) as archive, archive.open(member) as content:
            return content.read(MOST_BYTES)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"It cannot be unpacked ({error}).") from None
    except Exception as error:  # zlib.error, lzma.LZMAError and what else a decompressor may raise
        raise ValueError(f"It cannot be unpacked ({type(error).__name__}: {error}).") from None
