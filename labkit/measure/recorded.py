"""Machines measured elsewhere, to stand behind one's own in a plot: JSON files as `Ceilings.to_json()` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from labkit.data.place import ShippedFileError, root
from labkit.measure.ceiling_cache import FORMAT, _from_plain
from labkit.measure.ceiling_report import Ceilings


def recorded_machines(files: Sequence[Path] | None = None) -> list[Ceilings]:
    """The ceilings in `files`; by default those the course ships, which may be none.

    Raises `ValueError` that names the file which does not read.
    """
    return [_read(Path(file)) for file in (_shipped() if files is None else files)]


def _shipped() -> list[Path]:
    try:
        return sorted((root("data") / "reference").glob("ceilings-*.json"))
    except ShippedFileError:
        return []


def _read(file: Path) -> Ceilings:
    try:
        return _from_plain({"format": FORMAT} | json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{file} does not hold the ceilings of a machine ({type(error).__name__}: {error})."
        ) from error
