"""The learner edition as it goes out to a class: notebooks for a repository (nbgitpuller) and a zip for each lab (LMS).

Nothing is written unless every notebook passes the leak scan. The files are the same bytes for the same course, so that
a release that changes nothing shows no difference in a repository.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from labkit.course.catalogue import lab_number, lab_numbers, notebook_path
from labkit.course.editions import make_edition
from labkit.course.editions.leaks import leaks
from labkit.course.manifest import write_whole
from labkit.course.notebook import read_notebook, write_text

_FIRST_DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)


class LeakError(ValueError):
    """A line of a solution stands in what was to be released; nothing was."""


@dataclasses.dataclass(frozen=True)
class Release:
    """Where the notebooks and the archives lie, in the order of the labs."""

    notebooks: tuple[Path, ...]
    archives: tuple[Path, ...]

    def __str__(self) -> str:
        return "\n".join(
            [
                *(f"{path}: for a repository" for path in self.notebooks),
                *(f"{path}: to upload" for path in self.archives),
            ]
        )


def release(numbers: Sequence[str | int] | None, out: Path) -> Release:
    """Write the learner edition of the labs named (all when none is) into `out/notebooks` and `out/zip`.

    Raises `LeakError` with each leaking line, `ValueError` for an unknown lab or a damaged notebook.
    """
    sources = [notebook_path(lab_number(number)) for number in numbers or lab_numbers()]
    texts = {source.name: _scanned(source) for source in sources}
    notebooks = [out / "notebooks" / name for name in texts]
    archives = [out / "zip" / f"{Path(name).stem}.zip" for name in texts]
    for notebook, archive, (name, text) in zip(notebooks, archives, texts.items(), strict=True):
        write_whole(notebook, text)
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(_zipped(name, text))
    return Release(tuple(notebooks), tuple(archives))


def _scanned(source: Path) -> str:
    solved = read_notebook(source)
    edition = make_edition(solved, "learner", source.name[:2])
    if found := leaks(solved, edition):
        raise LeakError(f"Nothing was released. In {source.name} a solution can be read: {'; '.join(found)}")
    return write_text(edition)


def _zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name, _FIRST_DAY_OF_ZIP)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        archive.writestr(entry, text)
    return content.getvalue()
