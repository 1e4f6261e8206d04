"""What the course wrote into a workspace, by file name and hash: how a learner's edit is told from our own text."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

from labkit.course.store import WORKSPACE_MARK

FILE_NAME = "manifest.json"


class Manifest:
    """`{"00_topic.ipynb": sha256}`. A damaged manifest counts as empty: then every file is the learner's."""

    def __init__(self, workspace: Path) -> None:
        self._path = workspace / WORKSPACE_MARK / FILE_NAME
        self._hashes = self._read()

    def written(self, name: str) -> str | None:
        """The hash of what we last wrote under this name."""
        return self._hashes.get(name)

    def record(self, name: str, text: str) -> None:
        self._hashes[name] = hash_of(text.encode())
        write_whole(self._path, json.dumps(self._hashes, indent=1, sort_keys=True) + "\n")

    def _read(self) -> dict[str, str]:
        try:
            hashes = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {k: v for k, v in hashes.items() if isinstance(v, str)} if isinstance(hashes, dict) else {}


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """All of the text under its name or none: written beside, then moved over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
