"""The hashes beside a checkpoint: a `SHA256SUMS` file, as `sha256sum` writes and checks it.

A flipped bit in a weight leaves a file that reads well and answers wrongly; only a hash finds it. `saving.save` writes
the file, loading checks it where it is. Folders of others mostly have none, and then nothing is claimed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from labkit.models.errors import LoadError

SUMS = "SHA256SUMS"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_hashes(folder: Path) -> None:
    """Hash every weight file of `folder`."""
    files = sorted(folder.glob("*.safetensors"))
    (folder / SUMS).write_text("".join(f"{sha256(f)}  {f.name}\n" for f in files), encoding="utf-8")


def check_hashes(folder: Path) -> None:
    """Raises `LoadError` naming the first file that is gone or is not what it was."""
    sums = folder / SUMS
    if not sums.is_file():
        return
    for line in sums.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition(" ")
        path = folder / name.lstrip(" *")
        if not path.is_file():
            raise LoadError(f"{path} is missing, but {SUMS} lists it.")
        found = sha256(path)
        if found != expected:
            raise LoadError(f"{path} is not the file it was: sha256 {found[:12]}..., {SUMS} says {expected[:12]}...")
