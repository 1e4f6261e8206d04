"""The results as they come in: one file a submission, written whole or not at all, by one process at a time.

A run that was killed goes on where it stopped: what is graded already, with the same content, seed and checks, is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from labkit.course.grading.grades import Grade
from labkit.course.manifest import write_whole

_FOLDER = "submissions"


class Journal:
    """The folder `submissions/` of the results."""

    def __init__(self, out: Path) -> None:
        self._folder = out / _FOLDER

    def find(self, like: Grade) -> Grade | None:
        """The grade already written for the same student, notebook, content, seed, checks and sandbox."""
        try:
            grade = Grade.from_json(json.loads(self._path(like).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return grade if _key(grade) == _key(like) else None

    def write(self, grade: Grade) -> None:
        write_whole(self._path(grade), json.dumps(grade.to_json(), indent=1) + "\n")

    def _path(self, grade: Grade) -> Path:
        return self._folder / f"{file_name(grade.student, grade.notebook)}.json"


def file_name(*texts: str) -> str:
    """A name that every file system takes, readable where the texts are, and different where they differ.

    >>> file_name("Zoë / <b>", "00.ipynb")
    'zoe-b-00-ipynb-adfa01e9'
    """
    plain = unicodedata.normalize("NFKD", " ".join(texts)).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80]
    return f"{slug}-{hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:8]}".lstrip("-")


@contextlib.contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """`RuntimeError` while another run writes to the same folder; the lock goes with the process that held it."""
    import fcntl

    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(f"Another run is writing to {out}; wait for it or choose another folder.") from None
        yield


def _key(grade: Grade) -> tuple[str, ...]:
    return grade.student, grade.notebook, grade.sha256, grade.seed, grade.checks, grade.sandbox
