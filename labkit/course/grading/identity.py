"""Whose submission it is, from the names that learning platforms give to files and folders."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from labkit.course.grading.plaintext import readable

_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)")
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)")
_RESUBMITTED = re.compile(r"-(\d+)$")
_SUBMITTED = "submitted"  # nbgrader's folder: submitted/STUDENT/ASSIGNMENT/notebook


@dataclasses.dataclass(frozen=True)
class Owner:
    """`identifier` is what the platform knows the student by, `attempt` counts a student's own resubmissions."""

    identifier: str
    name: str
    attempt: int = 0


def owner_of(path: PurePosixPath) -> Owner:
    """`path` is relative to the folder that was handed over, archives standing in it like folders.

    >>> owner_of(PurePosixPath("doejane_LATE_4711_80215_00_your_machine-2.ipynb"))
    Owner(identifier='4711', name='doejane', attempt=2)
    >>> owner_of(PurePosixPath("Jane Doe_80215_assignsubmission_file_/00_your_machine.ipynb"))
    Owner(identifier='80215', name='Jane Doe', attempt=0)
    >>> owner_of(PurePosixPath("submitted/jdoe/00/00_your_machine.ipynb")).identifier
    'jdoe'
    >>> owner_of(PurePosixPath("Jane Doe/notebooks/00_your_machine.ipynb")).identifier
    'Jane Doe'
    """
    parts = [_normal(part.removesuffix(".zip")) for part in path.parts]
    for part in parts:
        if match := _MOODLE.fullmatch(part):
            return Owner(match["id"], match["name"])
    if _SUBMITTED in parts[:-2]:
        student = parts[parts.index(_SUBMITTED) + 1]
        return Owner(student, student)
    for part in parts:
        if match := _CANVAS.fullmatch(part):
            again = _RESUBMITTED.search(PurePosixPath(match["file"]).stem)
            return Owner(match["id"], match["name"], int(again[1][:6]) if again else 0)
    whole = parts[0] if len(parts) > 1 else PurePosixPath(parts[0]).stem
    return Owner(whole, whole)


def without_wrapping(paths: Sequence[PurePosixPath]) -> dict[PurePosixPath, PurePosixPath]:
    """Each path without the folders that wrap the whole class, such as the one inside an archive of everything."""
    inner = {path: path for path in paths}
    while len({path.parts[0] for path in inner.values()}) == 1 and all(len(p.parts) > 2 for p in inner.values()):
        if next(iter(inner.values())).parts[0] == _SUBMITTED:
            break
        inner = {path: PurePosixPath(*shown.parts[1:]) for path, shown in inner.items()}
    return inner


def _normal(text: str) -> str:
    return readable(unicodedata.normalize("NFC", text), 200)
