"""The learner's own folder: editions written into it, never over what the learner changed.

Which folder: `--to`, else `LABKIT_WORK`, else `work/` of the checkout when it can be written to, else `labkit-work`
in the user's home (a read-only shared installation, or a wheel).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from labkit.course.catalogue import checkout, lab_number, lab_numbers, load_checks, notebook_path, notebooks_dir
from labkit.course.editions import EDITIONS, make_edition
from labkit.course.manifest import Manifest, hash_of, write_whole
from labkit.course.notebook import read_notebook, write_text
from labkit.course.progress import Progress, progress_of
from labkit.course.store import WORKSPACE_MARK, Store


def workspace(to: Path | str | None = None) -> Path:
    """The folder the editions are written to; it may not exist yet."""
    chosen = to or os.environ.get("LABKIT_WORK")
    if chosen:
        return Path(chosen).expanduser().resolve()
    root = checkout()
    if root is not None and os.access(root / "work" if (root / "work").exists() else root, os.W_OK):
        return root / "work"
    return Path.home() / "labkit-work"


def start(
    numbers: Sequence[str | int] | None = None, edition: str = "learner", to: Path | str | None = None
) -> list[str]:
    """Write the labs named (all when none is); one sentence a file says what became of it.

    Raises ValueError for an unknown lab or edition or a damaged notebook, OSError when the folder cannot be written.
    """
    if edition not in EDITIONS:
        raise ValueError(f"There is no edition {edition!r}; there are {', '.join(EDITIONS)}.")
    folder = workspace(to)
    sources = [notebook_path(n) for n in numbers] if numbers else sorted(notebooks_dir().glob("[0-9][0-9]_*.ipynb"))
    (folder / WORKSPACE_MARK).mkdir(parents=True, exist_ok=True)
    manifest = Manifest(folder)
    return [_write(source, edition, folder, manifest) for source in sources]


def progress(to: Path | str | None = None) -> Progress:
    """Over all labs, from the state that a kernel started in the workspace would use."""
    folder = workspace(to)
    is_elsewhere = os.environ.get("LABKIT_STATE") or not folder.is_dir()
    store = Store() if is_elsewhere else Store(folder / WORKSPACE_MARK)
    return progress_of([load_checks(number) for number in lab_numbers()], store)


def reset(number: str | int, to: Path | str | None = None) -> str:
    """Begin a lab's notebook again. The learner's is kept as a numbered backup; predictions stay locked."""
    folder = workspace(to)
    source = notebook_path(lab_number(number))
    target = folder / source.name
    kept = ""
    if target.exists():
        count = 1
        while (backup := folder / f"{source.stem}.backup-{count}.ipynb").exists():
            count += 1
        target.rename(backup)
        kept = f" Yours is kept as {backup.name}."
    return "".join([*start([number], to=folder), kept, " Predictions and progress stay as they are."])


def _write(source: Path, edition: str, folder: Path, manifest: Manifest) -> str:
    text = write_text(make_edition(read_notebook(source), edition, source.name[:2]))
    ours = hash_of(text.encode())
    target = folder / source.name
    present = hash_of(target.read_bytes()) if target.exists() else None
    before = manifest.written(source.name)
    if present == ours:
        manifest.record(source.name, text)
        return f"{target}: up to date."
    if present is None or present == before:
        write_whole(target, text)
        manifest.record(source.name, text)
        return f"{target}: {'written' if present is None else 'updated to the course of today'}."
    if before == ours:
        return f"{target}: yours, left as it is."
    return _write_beside(target, text, ours)


def _write_beside(target: Path, text: str, ours: str) -> str:
    beside = target.with_name(f"{target.stem}.new-{ours[:8]}.ipynb")
    if not beside.exists():
        write_whole(beside, text)
    return f"{target}: you changed it and so did the course; yours is left as it is, the new one is {beside.name}."
