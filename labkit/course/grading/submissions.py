"""Finds the notebooks that were handed in: in folders and archives as learning platforms export them."""

from __future__ import annotations

import dataclasses
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from labkit.course.grading.archives import MOST_BYTES, Found, find_in_archive, is_wanted
from labkit.course.grading.identity import Owner, owner_of, without_wrapping


@dataclasses.dataclass(frozen=True)
class Submission:
    """One notebook of one student. `read` gives its bytes, or raises `ValueError` with the reason why it cannot."""

    owner: Owner
    path: PurePosixPath
    read: Callable[[], bytes]


def find_submissions(folder: Path) -> list[Submission]:
    """All of a folder, or of one archive, in a fixed order; `ValueError` when there is none.

    Of an nbgrader course only what was handed in, not its sources, releases and earlier gradings.
    """
    if not folder.exists():
        raise ValueError(f"There is no folder or archive {folder}.")
    found = list(_in_archive(folder, PurePosixPath(folder.name)) if folder.is_file() else _in_folder(folder))
    if (folder / "submitted").is_dir() and (folder / "source").is_dir():
        found = [item for item in found if item.path.parts[0] == "submitted"]
    if not found:
        raise ValueError(f"There is no notebook in {folder}, nor in an archive there.")
    shown = without_wrapping([item.path for item in found])
    if folder.is_dir() and folder.name == "submitted":
        shown = {path: PurePosixPath("submitted", path) for path in shown}
    return [Submission(owner_of(shown[item.path]), item.path, _reader(item)) for item in found]


def _in_folder(folder: Path) -> Iterator[Found]:
    for place, folders, files in os.walk(folder):  # links to folders are not followed
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            full = Path(place, name)
            path = PurePosixPath(full.relative_to(folder).as_posix())
            if path.suffix.lower() == ".zip" and not name.startswith("."):
                yield from _in_archive(full, path)
            elif is_wanted(path):
                yield Found(path, lambda full=full: _read(full))


def _in_archive(full: Path, path: PurePosixPath) -> Iterator[Found]:
    return find_in_archive(path, lambda: _open(full))


def _reader(item: Found) -> Callable[[], bytes]:
    def refuse() -> bytes:
        raise ValueError(item.problem)

    return item.read or refuse


def _read(path: Path) -> bytes:
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise ValueError(f"It has {size >> 20} MiB; {MOST_BYTES >> 20} are allowed. Clear its outputs.")
        return file.read(MOST_BYTES)


def _open(path: Path) -> io.BufferedIOBase:
    """A plain file and nothing else: no link (it might lead to the solutions), no pipe that never ends."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise ValueError(f"It cannot be opened ({error.strerror}); links are not followed.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("It is no plain file.")
    return os.fdopen(descriptor, "rb")
